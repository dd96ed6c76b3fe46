"""The loop: look at the canvas, propose, unmask what is sure, revoke what has become doubtful.

It alone fills a canvas with a denoiser. What varies comes in as values: the rule, the
tokens that must not be used, the time. It yields after every forward pass, so a caller that wants
no more stops pulling.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from engine.canvas import Canvas
from engine.schedule import Rule, places_to_revoke, places_to_unmask
from engine.tokenizer import MASK


class Look(Protocol):
    """A denoiser with its context bound: the one thing the loop calls."""

    def __call__(self, tokens_NC: Tensor) -> Tensor:
        """float32 log-probabilities [N, C, V] for the canvases `tokens_NC`."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What may not happen.

    forbidden_V  bool, tokens that may stand nowhere
    banned       (slot, token) pairs that may not be chosen again
    deadline     seconds of `time.monotonic`; the pass that ends after it fills every masked place
    """

    forbidden_V: Tensor
    banned: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    deadline: float = float("inf")


def denoise(
    look: Look, canvas: Canvas, rule: Rule, limits: Limits, noise: torch.Generator
) -> Iterator[Canvas]:
    """Fill every masked place of every row; yields the canvas (the same object) after each pass.

    It ends after `rule.passes` at the latest: the last pass fills what is masked, and so does the
    first one that ends past the deadline.
    """
    for left in range(rule.passes, 0, -1):
        if not canvas.masked_NC.any():
            return
        logits_NCV = _allowed(look(canvas.tokens_NC), limits)
        log_probs_NCV = torch.log_softmax(logits_NCV, -1)
        proposal_NC = _propose(logits_NCV, rule.temperature, noise)
        probability_NC = log_probs_NCV.gather(2, proposal_NC[..., None])[..., 0].exp()
        last = left == 1 or time.monotonic() >= limits.deadline
        revoked_NC = _revocable(canvas, log_probs_NCV, rule)
        chosen_NC = places_to_unmask(
            probability_NC, canvas.masked_NC, rule.confident, 1 if last else left
        )
        canvas.unmask(chosen_NC, proposal_NC, log_probs_NCV)
        if not last:
            canvas.revoke(revoked_NC)
        yield canvas
        if last:
            return


def judge(look: Look, canvas: Canvas, limits: Limits) -> None:
    """Weigh every filled slot by what the denoiser expects there, in one pass.

    Two copies of each row, one with its even and one with its odd slots masked: each token is
    judged by the half it is not in. Denoised rows and guessed ones compare fairly so.
    """
    slots_C = torch.arange(canvas.tokens_NC.shape[1], device=canvas.tokens_NC.device)
    even_C = slots_C % 2 == 0
    filled_NC = canvas.filled_NC
    copies = [
        canvas.tokens_NC.masked_fill(filled_NC & hidden_C, MASK) for hidden_C in (even_C, ~even_C)
    ]
    first_NCV, second_NCV = _allowed(look(torch.cat(copies)), limits).chunk(2)
    logits_NCV = torch.where(even_C[:, None], first_NCV, second_NCV)
    canvas.judge(torch.log_softmax(logits_NCV, -1))


def _allowed(logits_NCV: Tensor, limits: Limits) -> Tensor:
    logits_NCV = logits_NCV.masked_fill(limits.forbidden_V, float("-inf"))
    for slot, token in limits.banned:
        logits_NCV[:, slot, token] = float("-inf")
    return logits_NCV


def _propose(logits_NCV: Tensor, temperature: float, noise: torch.Generator) -> Tensor:
    """The best token of every slot, or a draw by the Gumbel-max trick."""
    if temperature <= 0:
        return logits_NCV.argmax(-1)
    uniform = torch.rand(logits_NCV.shape, generator=noise, device=logits_NCV.device)
    gumbel = -torch.log(-torch.log(uniform.clamp(1e-9, 1 - 1e-7)))
    return (logits_NCV / temperature + gumbel).argmax(-1)


def _revocable(canvas: Canvas, log_probs_NCV: Tensor, rule: Rule) -> Tensor:
    current_NC = log_probs_NCV.gather(2, canvas.tokens_NC[..., None])[..., 0].exp()
    return places_to_revoke(current_NC, canvas.filled_NC, canvas.revoked_NC, rule)
