"""The loop: look at the canvas, propose, unmask what is sure, revoke what has become doubtful.

It alone fills a canvas with a denoiser. What varies comes in as values: the rule, the
tokens that must not be used, the time. It yields after every forward pass, so a caller that wants
no more stops pulling.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from engine.canvas import Canvas
from engine.schedule import (
    Rule,
    entropy,
    places_to_accept,
    places_to_keep,
    places_to_revoke,
    places_to_unmask,
    sureness,
)
from engine.tokenizer import MASK

PENALTY_NATS = 3.0
"""What a penalised token loses: a twentieth of its odds is left."""
_NEARLY_ALL = 0.999
"""Where forbidden tokens have more, what they leave is too little to be a difference in float32."""


class Look(Protocol):
    """A denoiser with its context bound: the one thing the loop calls."""

    def __call__(self, tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        """float32 log-probabilities [P, V] for the wanted slots of the canvases, row after row.

        wanted_NC  bool, P of them; the vocabulary costs more than a layer does, so only these
        """
        ...


class Resize(ABC):
    """Tokens by which a model says, while it fills a row, that it is longer or shorter.

    spelled_V  which they are, bool [V]
    """

    spelled_V: Tensor

    @abstractmethod
    def refused(self, canvas: Canvas, *, last: bool) -> Tensor:
        """bool [N, V]: what each row may not take now; `last`: in the pass that fills all."""

    def least(self, canvas: Canvas) -> Tensor | None:
        """How many places of each row to unmask at least, int64 [N, 1]; None: as the rule says."""
        del canvas

    def reconsidered(self, canvas: Canvas, seen: "Seen", written_NC: Tensor) -> Tensor:
        """The tokens that are written, int64 [P]."""
        del canvas, written_NC
        return seen.proposal_P

    @abstractmethod
    def apply(self, canvas: Canvas) -> None:
        """Make slots more or fewer of the tokens that were just written."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may not happen.

    forbidden_V  bool, tokens that may stand nowhere
    penalised    (slot, token) pairs that are to be chosen again only for want of better
    deadline     seconds of `time.monotonic`; the pass that ends after it fills every masked place
    """

    forbidden_V: Tensor
    penalised: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    deadline: float = float("inf")


def denoise(
    look: Look,
    canvas: Canvas,
    rule: Rule,
    limits: Limits,
    noise: torch.Generator,
    resize: Resize | None = None,
) -> Iterator[Canvas]:
    """Fill every masked place of every row; yields the canvas (the same object) after each pass.

    It ends after `rule.passes` at the latest: the last pass fills what is masked, and so does the
    first one that ends past the deadline.
    """
    polished, best_P = 0, canvas.tokens_NC[:0, 0]
    for left in range(rule.passes, 0, -1):
        polished = 0 if (canvas.masked_NC & ~canvas.added_NC).any() else polished + 1
        wanted_NC = canvas.masked_NC | _reopened(canvas, rule, left)
        if polished > rule.polish or (polished and not wanted_NC.any()):
            return
        log_probs_PV = look(canvas.tokens_NC, wanted_NC)
        last = left == 1 or 0 < rule.polish <= polished or time.monotonic() >= limits.deadline
        refused_NV = resize.refused(canvas, last=last) if resize else None
        log_probs_PV = _allowed(log_probs_PV, wanted_NC, limits, refused_NV)
        before_P, best_P = best_P, _propose(log_probs_PV, rule.temperature, noise)
        seen = Seen(wanted_NC, log_probs_PV, best_P, _chances(log_probs_PV, best_P))
        last = last or _calm(seen, before_P, rule)
        least_N1 = resize.least(canvas) if resize else None
        change = _change(seen, canvas, rule, 1 if last else left, least_N1)
        if resize:
            best_P = resize.reconsidered(canvas, seen, change.written_NC)
        written_P = change.written_NC[wanted_NC]
        canvas.unmask(change.written_NC, best_P[written_P], log_probs_PV[written_P])
        canvas.revoke(change.masked_NC)
        if resize:
            resize.apply(canvas)
        yield canvas
        if last or (polished and not (change.written_NC | change.masked_NC).any()):
            return


def judge(look: Look, canvas: Canvas, limits: Limits) -> None:
    """Weigh every filled slot of the seeded rows by what the denoiser expects there, in one pass.

    Two copies of each row, one with its even and one with its odd slots masked: each token is
    judged by the half it is not in. Rows that began as noise were weighed as they were filled. Past
    the deadline nothing is weighed.
    """
    filled_NC = canvas.filled_NC & canvas.seeded_N[:, None]
    if not filled_NC.any() or time.monotonic() >= limits.deadline:
        return
    slots_C = torch.arange(canvas.tokens_NC.shape[1], device=canvas.tokens_NC.device)
    even_C = slots_C % 2 == 0
    halves = [filled_NC & even_C, filled_NC & ~even_C]
    copies = [canvas.tokens_NC.masked_fill(half_NC, MASK) for half_NC in halves]
    wanted_NC = torch.cat(halves)
    log_probs_PV = _allowed(look(torch.cat(copies), wanted_NC), wanted_NC, limits)
    parts = log_probs_PV.split([int(half_NC.sum()) for half_NC in halves])
    for half_NC, part_PV in zip(halves, parts, strict=True):
        canvas.judge(half_NC, part_PV)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look says of P wanted places, row after row: a token for each, and its chance."""

    wanted_NC: Tensor
    log_probs_PV: Tensor
    proposal_P: Tensor
    chance_P: Tensor

    def spread(self, values_P: Tensor) -> Tensor:
        """Values of the wanted places where they stand, 0 elsewhere."""
        blank_NC = torch.zeros(self.wanted_NC.shape, dtype=values_P.dtype, device=values_P.device)
        return blank_NC.masked_scatter(self.wanted_NC, values_P)


class _Change(NamedTuple):
    """What a pass does to a canvas, bool [N, C]: which places it writes, and which it masks."""

    written_NC: Tensor
    masked_NC: Tensor


def _change(
    seen: Seen, canvas: Canvas, rule: Rule, left: int, least_N1: Tensor | None = None
) -> _Change:
    """With one pass left, every masked place is written and none is masked."""
    nothing_NC = torch.zeros_like(canvas.masked_NC)
    if rule.renewal:
        if left == 1:
            return _Change(seen.wanted_NC, nothing_NC)
        entropy_NC = seen.spread(entropy(seen.log_probs_PV))
        accepted_NC = places_to_accept(entropy_NC, seen.wanted_NC, rule.renewal.bound)
        return _Change(accepted_NC, seen.wanted_NC & canvas.filled_NC & ~accepted_NC)
    if rule.planned and left > 1:
        kept_NC = places_to_keep(seen.spread(seen.chance_P), seen.wanted_NC, rule, left)
        return _Change(kept_NC & canvas.masked_NC, seen.wanted_NC & canvas.filled_NC & ~kept_NC)
    slots_P = seen.wanted_NC.nonzero()[:, 1]
    sure_NC = seen.spread(sureness(seen.log_probs_PV, seen.chance_P, slots_P, rule))
    chance_NC = seen.spread(seen.chance_P)
    written_NC = places_to_unmask(chance_NC, sure_NC, canvas.masked_NC, rule, left, least_N1)
    if rule.rewrite is not None:
        other_NC = seen.spread(seen.proposal_P) != canvas.tokens_NC
        open_NC = seen.wanted_NC & canvas.filled_NC
        written_NC = written_NC | (open_NC & other_NC & (chance_NC > rule.rewrite))
    if left == 1:
        return _Change(written_NC, nothing_NC)
    current_NC = seen.spread(_chances(seen.log_probs_PV, canvas.tokens_NC[seen.wanted_NC]))
    filled_NC = canvas.filled_NC & ~written_NC
    return _Change(written_NC, places_to_revoke(current_NC, filled_NC, canvas.revoked_NC, rule))


def _calm(seen: Seen, before_P: Tensor, rule: Rule) -> bool:
    """Is there nothing left to be expected of a canvas that is filled anew in each pass?"""
    if rule.renewal is None or not torch.equal(before_P, seen.proposal_P):
        return False
    sums_N = seen.spread(entropy(seen.log_probs_PV)).sum(1)
    return bool((sums_N < rule.renewal.calm * seen.wanted_NC.sum(1)).all())


def _reopened(canvas: Canvas, rule: Rule, left: int) -> Tensor:
    """Filled places that are looked at again. Rows that began as a guess are not rewritten."""
    if rule.renewal or rule.planned or rule.rewrite is not None:
        return canvas.filled_NC & ~canvas.seeded_N[:, None]
    if left == 1:  # nothing is masked again for which no pass is left
        return torch.zeros_like(canvas.masked_NC)
    return canvas.filled_NC & (canvas.revoked_NC < rule.remask_limit)


def _allowed(
    log_probs_PV: Tensor, wanted_NC: Tensor, limits: Limits, refused_NV: Tensor | None = None
) -> Tensor:
    """Log-probabilities [P, V] among what may stand at the wanted places."""
    if refused_NV is None and not limits.penalised:
        return _without(log_probs_PV, limits.forbidden_V)
    if refused_NV is not None:
        log_probs_PV = log_probs_PV.masked_fill(
            refused_NV[wanted_NC.nonzero()[:, 0]], float("-inf")
        )
    # a sum: masking [P, V] by a condition takes six times as long
    log_probs_PV = log_probs_PV + log_probs_PV.new_zeros(()).where(~limits.forbidden_V, -torch.inf)
    slots_P = wanted_NC.nonzero()[:, 1]
    for slot, token in limits.penalised:
        log_probs_PV[slots_P == slot, token] -= PENALTY_NATS
    return torch.log_softmax(log_probs_PV, -1)


def _without(log_probs_PV: Tensor, forbidden_V: Tensor) -> Tensor:
    """Log-probabilities among all other tokens: mostly, only those of the few are summed up."""
    forbidden_F = forbidden_V.nonzero()[:, 0]
    taken_P1 = log_probs_PV.index_select(1, forbidden_F).exp_().sum(1, keepdim=True)
    if (taken_P1 > _NEARLY_ALL).any():
        return torch.log_softmax(log_probs_PV.index_fill(1, forbidden_F, -torch.inf), -1)
    return (log_probs_PV - torch.log1p(-taken_P1)).index_fill_(1, forbidden_F, -torch.inf)


def _propose(log_probs_PV: Tensor, temperature: float, noise: torch.Generator) -> Tensor:
    """The best token of every place, or a draw by the Gumbel-max trick."""
    if temperature <= 0:
        return _likeliest(log_probs_PV)
    uniform = torch.rand(log_probs_PV.shape, generator=noise, device=log_probs_PV.device)
    gumbel = -torch.log(-torch.log(uniform.clamp(1e-9, 1 - 1e-7)))
    return (log_probs_PV / temperature + gumbel).argmax(-1)


def _likeliest(log_probs_PV: Tensor) -> Tensor:
    """The best token of every place; numpy finds it ten times as fast as torch on a processor."""
    if log_probs_PV.device.type == "cpu":
        return torch.from_numpy(log_probs_PV.numpy().argmax(-1))
    return log_probs_PV.argmax(-1)


def _chances(log_probs_PV: Tensor, tokens_P: Tensor) -> Tensor:
    return log_probs_PV.gather(1, tokens_P[:, None])[:, 0].exp()
