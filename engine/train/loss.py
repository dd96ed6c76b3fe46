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
from engine.model import Denoiser, KeysValues, Sight
from engine.train.corrupt import Noised, corrupt
from engine.train.data import Batch

Trunk = Callable[[Denoiser, Batch, Tensor], tuple[Tensor, Tensor]]
"""`trunk`, or what torch.compile made of it."""

_STREAM_WEIGHT = 0.3
_STREAM_SHARE = 4
"""Next-token losses are taken at one place in four, drawn at random: logits are costly."""


class Losses(NamedTuple):
    """Nats per token: what is minimised, and its parts."""

    total: Tensor
    canvas: Tensor
    prefix: Tensor
    suffix: Tensor


def trunk(model: Denoiser, batch: Batch, canvas_BNC: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden states of both streams [2B, T, D] (all prefixes, then all suffixes) and canvases."""
    chunks, tokens = batch.tokens_BT.shape
    tags_B1 = batch.tags_B[:, None]
    forward_BT = torch.cat([tags_B1, batch.tokens_BT], 1)
    backward_BT = torch.cat([tags_B1, batch.tokens_BT.flip(1)], 1)
    directions = torch.arange(2, device=tags_B1.device).repeat_interleave(chunks)
    streams, kept = model.encode(torch.cat([forward_BT, backward_BT]), directions)
    prefix = [KeysValues(keys[:chunks], values[:chunks]) for keys, values in kept]
    suffix = [KeysValues(keys[chunks:], values[chunks:]) for keys, values in kept]
    # the language tag stands first in both streams, hence the 1s
    sight = Sight(batch.start_BN + 1, tokens - batch.end_BN + 1)
    before_BN = forward_BT.gather(1, batch.start_BN)
    return streams, model.denoise(canvas_BNC, before_BN, prefix, suffix, sight)


def batch_losses(
    model: Denoiser,
    batch: Batch,
    placement: Placement,
    noise: torch.Generator,
    edit_rate: float = 0.0,
    step: int = 0,
    run_trunk: Trunk = trunk,
) -> Losses:
    """Corrupt a batch, look at it, and score the answer, in the placement's precision.

    edit_rate  share of the visible canvas tokens that are made wrong
    step       picks the places at which the streams are scored
    """
    batch = batch.to(placement.device)
    noised = corrupt(batch.content_BNC, batch.used_BN, edit_rate, model.config.vocabulary, noise)
    kind, dtype = placement.device.type, placement.dtype
    with torch.autocast(kind, dtype, enabled=dtype != torch.float32):
        hidden = run_trunk(model, batch, noised.canvas_BNC)
        return _losses(model, batch, noised, hidden, step)


def _losses(
    model: Denoiser, batch: Batch, noised: Noised, hidden: tuple[Tensor, Tensor], step: int
) -> Losses:
    """Weighted cross-entropies from what `trunk` returned."""
    streams, canvas_BNCD = hidden
    chosen_BNC = noised.weight_BNC > 0
    weights = noised.weight_BNC[chosen_BNC]
    nats = _cross_entropy(model, canvas_BNCD[chosen_BNC], batch.content_BNC[chosen_BNC])
    canvas = (nats * weights).sum() / weights.sum()
    places = torch.arange(step % _STREAM_SHARE, batch.tokens_BT.shape[1], _STREAM_SHARE)
    both_BT = torch.cat([batch.tokens_BT, batch.tokens_BT.flip(1)])[:, places]
    stream_nats = _cross_entropy(model, streams[:, places].flatten(0, 1), both_BT.flatten())
    prefix, suffix = stream_nats.chunk(2)
    total = canvas + _STREAM_WEIGHT * (prefix.mean() + suffix.mean())
    return Losses(total, canvas, prefix.mean(), suffix.mean())


def _cross_entropy(model: Denoiser, hidden_XD: Tensor, targets_X: Tensor) -> Tensor:
    return F.cross_entropy(model.logits(hidden_XD).float(), targets_X, reduction="none")
