"""The training objective: fill the canvases, and read on in both directions.

One pass over a batch encodes each chunk as a prefix stream and as a suffix stream, then denoises
all its canvases, each seeing the streams only outside its own hole.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.device import Placement
from engine.model import Context, Denoiser, KeysValues, Sight
from engine.pointer import copied_nats, mixed_nats
from engine.tokenizer import FIRST_TAG, LANGUAGES
from engine.train.corrupt import Noised, corrupt
from engine.train.data import Batch


class Copies(NamedTuple):
    """What the pointer gives the right token, nats, and its odds; of streams and of canvases."""

    streams_BT: Tensor
    stream_odds_BT: Tensor
    canvas_BNC: Tensor
    canvas_odds_BNC: Tensor


class Seen(NamedTuple):
    """Hidden states of both streams (all prefixes, then all suffixes) and of the canvases."""

    streams_BTD: Tensor
    canvas_BNCD: Tensor
    copies: Copies | None


Trunk = Callable[[Denoiser, Batch, Tensor], Seen]
"""`trunk`, or what torch.compile made of it."""

_STREAM_WEIGHT = 0.3
_STREAM_SHARE = 4
"""Next-token losses are taken at one place in four, drawn at random: logits are costly."""


class Task(NamedTuple):
    """A batch and its noise, or some of its chunks.

    weight  of all slots of the whole batch
    share   of the batch's chunks that are here, 0 to 1
    """

    batch: Batch
    noised: Noised
    weight: Tensor
    share: float

    def part(self, rows: slice) -> "Task":
        """Some of the chunks; the losses of all parts add up to those of the whole."""
        batch = self.batch.part(rows)
        share = len(batch.tokens_BT) / len(self.batch.tokens_BT)
        return Task(batch, Noised(*(each[rows] for each in self.noised)), self.weight, share)


class Losses(NamedTuple):
    """Nats per token: what is minimised, and its parts.

    language_nats_L    the canvases' nats by language, in the order of LANGUAGES, weighted
    language_weight_L  and the weights, to divide by
    """

    total: Tensor
    canvas: Tensor
    prefix: Tensor
    suffix: Tensor
    language_nats_L: Tensor
    language_weight_L: Tensor


def trunk(model: Denoiser, batch: Batch, canvas_BNC: Tensor, *, fused: bool = False) -> Seen:
    """Everything but the vocabulary's logits, which are taken at some places only.

    fused  attend to contexts in one kernel, worth its while only where it is compiled
    """
    chunks, tokens = batch.tokens_BT.shape
    tags_B1 = batch.tags_B[:, None]
    forward_BT = torch.cat([tags_B1, batch.tokens_BT], 1)
    backward_BT = torch.cat([tags_B1, batch.behind_BT.flip(1)], 1)
    both_BT = torch.cat([forward_BT, backward_BT])
    directions = torch.arange(2, device=tags_B1.device).repeat_interleave(chunks)
    streams_BTD, kept = model.encode(both_BT, directions)
    context = Context(
        prefix=[KeysValues(keys[:chunks], values[:chunks]) for keys, values in kept],
        suffix=[KeysValues(keys[chunks:], values[chunks:]) for keys, values in kept],
        prefix_BT=forward_BT,
        suffix_BT=backward_BT,
        # the language tag stands first in both streams, hence the 1s
        sight=Sight(batch.start_BN + 1, batch.shift_B[:, None] + tokens - batch.end_BN + 1),
    )
    before_BN = forward_BT.gather(1, batch.start_BN)
    canvas_BNCD = model.denoise(canvas_BNC, before_BN, context, fused=fused)
    if model.pointer is None:
        return Seen(streams_BTD, canvas_BNCD, None)
    on_stream = model.stream_scores(model.pointer, streams_BTD, kept)[:, :-1]
    on_context = model.canvas_scores(model.pointer, canvas_BNCD, context)
    context_BS = torch.cat([forward_BT, backward_BT], 1)
    copies = Copies(
        copied_nats(on_stream, both_BT[:, None], both_BT[:, 1:]),
        model.pointer.odds(streams_BTD[:, :-1], on_stream),
        copied_nats(on_context, context_BS[:, None, None], batch.content_BNC),
        model.pointer.odds(canvas_BNCD, on_context),
    )
    return Seen(streams_BTD, canvas_BNCD, copies)


def noised(batch: Batch, noise: torch.Generator, vocabulary: int, edit_rate: float = 0.0) -> Task:
    """Corrupt a batch; `edit_rate`: share of the visible canvas tokens that are made wrong."""
    hidden = corrupt(batch.content_BNC, batch.used_BN, edit_rate, vocabulary, noise)
    return Task(batch, hidden, hidden.weight_BNC.sum(), 1.0)


def task_losses(
    model: Denoiser, task: Task, placement: Placement, step: int = 0, run_trunk: Trunk = trunk
) -> Losses:
    """Look at a task and score the answer, in the placement's precision.

    step  picks the places at which the streams are scored
    """
    kind, dtype = placement.device.type, placement.dtype
    with torch.autocast(kind, dtype, enabled=dtype != torch.float32):
        seen = run_trunk(model, task.batch, task.noised.canvas_BNC)
        return _losses(model, task, seen, step)


def _losses(model: Denoiser, task: Task, seen: Seen, step: int) -> Losses:
    """Weighted cross-entropies from what `trunk` returned."""
    batch, noised = task.batch, task.noised
    chosen_BNC = noised.weight_BNC > 0
    weights = noised.weight_BNC[chosen_BNC]
    nats = _token_nats(model, seen.canvas_BNCD[chosen_BNC], batch.content_BNC[chosen_BNC])
    places = torch.arange(step % _STREAM_SHARE, batch.tokens_BT.shape[1], _STREAM_SHARE)
    both_BT = torch.cat([batch.tokens_BT, batch.behind_BT.flip(1)])[:, places]
    stream_nats = _token_nats(model, seen.streams_BTD[:, places].flatten(0, 1), both_BT.flatten())
    if seen.copies:
        copies = seen.copies
        nats = mixed_nats(nats, copies.canvas_BNC[chosen_BNC], copies.canvas_odds_BNC[chosen_BNC])
        copied, odds = copies.streams_BT[:, places], copies.stream_odds_BT[:, places]
        stream_nats = mixed_nats(stream_nats, copied.flatten(), odds.flatten())
    languages = (batch.tags_B - FIRST_TAG)[:, None, None].expand_as(chosen_BNC)[chosen_BNC]
    blank_L = weights.new_zeros(len(LANGUAGES))
    language_nats_L = blank_L.index_add(0, languages, -nats * weights)
    language_weight_L = blank_L.index_add(0, languages, weights)
    canvas = language_nats_L.sum() / task.weight
    prefix, suffix = (part.mean() * task.share for part in (-stream_nats).chunk(2))
    total = canvas + _STREAM_WEIGHT * (prefix + suffix)
    return Losses(total, canvas, prefix, suffix, language_nats_L, language_weight_L)


def _token_nats(model: Denoiser, hidden_XD: Tensor, targets_X: Tensor) -> Tensor:
    """Log-probabilities [X] that the vocabulary's softmax gives the targets."""
    return -F.cross_entropy(model.logits(hidden_XD).float(), targets_X, reduction="none")
