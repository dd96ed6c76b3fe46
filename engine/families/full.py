"""Models in which every token sees every other: one sequence of prefix, canvas and suffix.

Nothing of the context is exact when the canvas has changed. So its keys and values are computed
anew with every so many looks, and in between only the canvas is: `refresh_every=1` is no cache.

The order of tokens in memory is context first, then canvas; their positions say where they stand.
What the published models read off the slot before (*shifted* logits) is read off the last token of
the prefix for the first slot; that token is computed with the canvas.

Shape letters as in `transformer.py`; C slots of a canvas, P wanted slots.

Source of the cache: dKV-Cache, arXiv:2505.15781; Fast-dLLM, arXiv:2505.22618.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from engine.families.codec import FolderCodec
from engine.families.folder import Folder
from engine.families.ids import engine_ids, engine_log_probs, own_canvas, own_ids
from engine.families.model import Facts, Reading, Traits
from engine.families.past import KeysValues, Past
from engine.families.stack import Filling, Naming, StackPlan, hub_name
from engine.families.transformer import Shape, Transformer
from engine.tokenizer import EOM

REFRESH_EVERY = 8
SLOTS, FILL_TOKENS = 64, 128
CANDIDATES = (4, 8, 16, 32, 48)
"""Lengths that are looked at, where a model says nothing of them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a family writes a text with a hole; ids are its own.

    mask, end       a masked slot; what ends a text, and says that a slot is none
    opening         before the prefix
    closing         behind the suffix
    shifted         do logits stand one place before the token they predict?
    context_tokens  the longest sequence it was made for
    """

    mask: int
    end: int
    opening: tuple[int, ...]
    closing: tuple[int, ...]
    shifted: bool
    context_tokens: int


class FullAttention:
    """A stack on a device, and how to lay out a text for it."""

    def __init__(
        self, stack: Transformer, codec: FolderCodec, traits: Traits, layout: Layout
    ) -> None:
        self.traits = traits
        self._stack, self._codec, self._layout = stack, codec, layout
        self.refresh_every = REFRESH_EVERY

    def streams(self, language: str, head: bytes, tail: bytes) -> tuple[list[int], list[int]]:
        """Prefix and suffix, both left to right, with what opens and closes a text."""
        del language
        layout = self._layout
        marks = len(layout.opening) + len(layout.closing)
        room = max(2, layout.context_tokens - self.traits.fill_tokens - marks)
        before, behind = self._codec.around(head, tail, room)
        return (
            [*engine_ids(layout.opening), *before],
            [*behind, *engine_ids(layout.closing)],
        )

    def read(self, prefix: Sequence[int], suffix: Sequence[int], done: Sequence[int]) -> Reading:
        left, right = own_ids([*prefix, *done]), own_ids(suffix)
        look = FullLook(self._stack, self._layout, left, right, self.refresh_every)
        return Reading(look, 0, len(left) + len(right))  # each look computes what it needs


class FullLook:
    """A stack between a prefix and a suffix: canvases in, log-probabilities out."""

    def __init__(
        self,
        stack: Transformer,
        layout: Layout,
        prefix: Sequence[int],
        suffix: Sequence[int],
        refresh_every: int,
    ) -> None:
        device = stack.embed_tokens.weight.device
        self._stack, self._layout = stack, layout
        self._lead = 1 if layout.shifted and prefix else 0
        split = len(prefix) - self._lead
        self._context_T = torch.tensor([*prefix[:split], *suffix], device=device, dtype=torch.long)
        self._last_X = torch.tensor(prefix[split:], device=device, dtype=torch.long)
        self._prefix, self._split = len(prefix), split
        self._refresh_every, self._looks = refresh_every, 0
        self._kept: dict[int, Past] = {}  # the context's, as seen around a hole of so many tokens

    def __call__(self, tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        rows_N = wanted_NC.any(1)
        tokens_NC, wanted_NC = tokens_NC[rows_N], wanted_NC[rows_N]
        lengths_N = (tokens_NC != EOM).sum(1)
        canvas_NC = own_canvas(tokens_NC, self._layout.mask, self._layout.end)
        hidden_NLD = self._hidden(canvas_NC, lengths_N)
        if self._layout.shifted and not self._lead:
            hidden_NLD = torch.cat([hidden_NLD[:, :1], hidden_NLD], 1)
        hidden_NCD = hidden_NLD[:, : canvas_NC.shape[1]]
        logits_PV = self._stack.logits(hidden_NCD[wanted_NC])
        return engine_log_probs(logits_PV, self._layout.end)

    def _hidden(self, canvas_NC: Tensor, lengths_N: Tensor) -> Tensor:
        """Hidden states of the tokens that are always computed: the last before, the canvas."""
        rows, slots = canvas_NC.shape
        live_NL = torch.cat([self._last_X.expand(rows, -1), canvas_NC], 1)
        places_L = torch.arange(self._split, self._prefix + slots, device=canvas_NC.device)
        places_NL = places_L.expand(rows, -1)
        real_NL = places_L < self._prefix + lengths_N[:, None]
        context_NT = self._context_T.expand(rows, -1)
        seen_N1S = torch.cat([torch.ones_like(context_NT, dtype=torch.bool), real_NL], 1)[:, None]
        lengths: list[int] = lengths_N.tolist()
        if self._looks % self._refresh_every == 0:
            self._kept.clear()
        self._looks += 1
        if all(length in self._kept for length in lengths):
            past = _stacked([self._kept[length] for length in lengths])
            seen_NLS = seen_N1S.expand(-1, live_NL.shape[1], -1)
            return self._stack(live_NL, places_NL, seen_NLS, past)[0]
        whole_NS = torch.cat([context_NT, live_NL], 1)
        places_NS = torch.cat([self._context_places(lengths_N), places_NL], 1)
        seen_NSS = seen_N1S.expand(-1, whole_NS.shape[1], -1)
        hidden_NSD, read = self._stack(whole_NS, places_NS, seen_NSS)
        for row, length in enumerate(lengths):
            self._kept[length] = _first(read, row, context_NT.shape[1])
        return hidden_NSD[:, context_NT.shape[1] :]

    def _context_places(self, lengths_N: Tensor) -> Tensor:
        """Positions [N, T] of the context around holes of these lengths."""
        places_T = torch.arange(len(self._context_T), device=lengths_N.device)
        behind_T = places_T >= self._split
        gap_N1 = self._lead + lengths_N[:, None]
        return torch.where(behind_T, places_T + gap_N1, places_T)


def full_attention(
    folder: Folder,
    codec: FolderCodec,
    shape: Shape,
    layout: Layout,
    filling: Filling,
    named: Naming = hub_name,
) -> StackPlan:
    """The plan of such a model."""
    return StackPlan(
        folder=folder,
        codec=codec,
        shape=shape,
        facts=Facts(sees_suffix=True, mask=layout.mask),
        assemble=partial(FullAttention, layout=layout),
        filling=filling,
        named=named,
    )


def _first(read: Past, row: int, count: int) -> Past:
    """The first so many tokens of one row, copied: the rest may be forgotten."""
    return [
        KeysValues(*(part[row : row + 1, :, :count].clone() for part in layer)) for layer in read
    ]


def _stacked(pasts: Sequence[Past]) -> Past:
    """Pasts of one row each as one of several."""
    return [
        KeysValues(*(torch.cat(parts) for parts in zip(*layers, strict=True)))
        for layers in zip(*pasts, strict=True)
    ]
