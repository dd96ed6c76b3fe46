"""When to unmask, when to revoke, how long a hole is: arithmetic on probabilities, no model."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Quota = Callable[[Tensor, int, int], Tensor]
"""How many places of each row to unmask at least, the surest first, given how many are masked,
how many passes are left, this one counted, and how many there were in all."""


def evenly(masked_N1: Tensor, left: int, passes: int) -> Tensor:
    """So many that none is left for no pass."""
    del passes
    return (masked_N1 / left).ceil()


def rounded(masked_N1: Tensor, left: int, passes: int) -> Tensor:
    """The share of this pass, rounded, but one at least: LLaDA and dllm."""
    del passes
    return (masked_N1.double() / left).round().clamp(min=1)


def floored(masked_N1: Tensor, left: int, passes: int) -> Tensor:
    """The share of this pass where time ends at 0.001, rounded down, maybe none: Dream."""
    times = torch.linspace(1, 1e-3, passes + 1)
    done = passes - left
    return (masked_N1 * (1 - float(times[done + 1] / times[done]))).floor()


def singly(masked_N1: Tensor, left: int, passes: int) -> Tensor:
    """One a pass."""
    del left, passes
    return torch.ones_like(masked_N1)


@dataclass(frozen=True, slots=True)
class Renewal:
    """Entropies, in nats, by which a canvas is filled anew in each pass.

    bound  as many of the surest places are filled as have no more together, the last one left out
    calm   a canvas is done when its best tokens stay and their mean is below this

    Source: the entropy bound, arXiv:2505.24857, with DiffusionGemma's stop.
    """

    bound: float
    calm: float


@dataclass(frozen=True, slots=True)
class Rule:
    """How bold the sampler is. Probabilities in 0..1.

    confident      unmask every place whose best token is at least this probable
    doubtful       mask a filled place again when its token has become less probable than this
    remask_limit   how often one place may be revoked
    passes         forward passes at most, in which a canvas is to be full
    temperature    0 takes the best token; above, Gumbel noise of that scale is added to the logits
    lengths        rows that start from noise, one for each likely length
    guesses        rows at most that start from a fill looked up in the text
    order          what makes a place sure: its best token's probability, the margin between its two
                   best, a low entropy, or standing leftmost
    quota          how many places to unmask at least in a pass
    rewrite        a filled place takes another token that is more probable than this; None: never
    polish         passes over a canvas that is full, at most, while they change anything
    renewal        in each pass it is asked anew of all places which are filled; None: never
    planned        in each pass so many more of the surest places stay filled, the others are masked
                   again; a place is as sure as its best token, whatever stands there
    """

    confident: float = 0.9
    doubtful: float = 0.05
    remask_limit: int = 1
    passes: int = 2
    temperature: float = 0.0
    lengths: int = 3
    guesses: int = 2
    order: Literal["probability", "margin", "entropy", "leftmost"] = "probability"
    quota: Quota = evenly
    rewrite: float | None = None
    polish: int = 0
    renewal: Renewal | None = None
    planned: bool = False


NOTHING = 0.9
"""Least probability of an empty fill for it to be the answer."""


@dataclass(frozen=True, slots=True)
class Length:
    """A candidate length in tokens, and the log-probability (nats) of it.

    odds   for a looked-up fill of that length: log-odds that it is right, by its surroundings
    """

    tokens: int
    nats: float
    odds: float | None = None


def sureness(log_probs_PV: Tensor, chosen_P: Tensor, slots_P: Tensor, rule: Rule) -> Tensor:
    """How sure each place is by the rule's order, float32 [P], highest first to be unmasked.

    chosen_P  probability of the proposed token
    slots_P   where in its row each place stands
    """
    if rule.order == "probability":
        return chosen_P
    if rule.order == "leftmost":
        return -slots_P.float()
    if rule.order == "margin":
        best_P2 = log_probs_PV.topk(2).values.exp()
        return best_P2[:, 0] - best_P2[:, 1]
    return -entropy(log_probs_PV)


def entropy(log_probs_PV: Tensor) -> Tensor:
    """Nats, [P]."""
    return -(log_probs_PV.exp() * log_probs_PV.clamp(min=-100)).sum(-1)


def places_to_unmask(
    chance_NC: Tensor,
    sure_NC: Tensor,
    masked_NC: Tensor,
    rule: Rule,
    left: int,
    least_N1: Tensor | None = None,
) -> Tensor:
    """bool [N, C]: the places of high chance, and in each row with masks the surest few.

    chance_NC  probability of the proposed token
    sure_NC    by the rule's order
    left       passes, this one counted: the last one unmasks every place
    least_N1   how many at least; None: by the rule's quota

    Among equals the leftmost comes first, so that a seed gives the same text twice.
    """
    if left == 1:
        return masked_NC
    open_NC = sure_NC.masked_fill(~masked_NC, float("-inf"))
    order_NC = torch.argsort(open_NC, dim=1, descending=True, stable=True)
    rank_NC = torch.argsort(order_NC, dim=1)
    if least_N1 is None:
        least_N1 = rule.quota(masked_NC.sum(1, keepdim=True), left, rule.passes)
    return masked_NC & ((chance_NC >= rule.confident) | (rank_NC < least_N1))


def places_to_revoke(
    current_NC: Tensor, filled_NC: Tensor, revoked_NC: Tensor, rule: Rule
) -> Tensor:
    """bool [N, C]: filled places whose token's probability `current_NC` has fallen too low.

    revoked_NC  int64, how often each place was revoked before
    """
    return filled_NC & (current_NC < rule.doubtful) & (revoked_NC < rule.remask_limit)


def places_to_accept(entropy_NC: Tensor, open_NC: Tensor, bound: float) -> Tensor:
    """bool [N, C]: of the open places those of least entropy, with no more than `bound` together.

    The largest entropy among them is not counted, so that there is always one.
    """
    sorted_NC, order_NC = entropy_NC.masked_fill(~open_NC, float("inf")).sort(stable=True, dim=1)
    before_NC = sorted_NC.cumsum(1) - sorted_NC
    return torch.zeros_like(open_NC).scatter(1, order_NC, before_NC <= bound) & open_NC


def places_to_keep(chance_NC: Tensor, open_NC: Tensor, rule: Rule, left: int) -> Tensor:
    """bool [N, C]: of the open places those that are filled after this pass, the surest.

    Source: path planning, arXiv:2502.03540, as Open-dCoder has it.
    """
    count_N1 = open_NC.sum(1, keepdim=True)
    done = (rule.passes - left + 1) / rule.passes
    masked_N1 = (count_N1.float() * (1.0 - done)).floor()
    order_NC = torch.argsort(chance_NC.masked_fill(~open_NC, float("inf")), dim=1, stable=True)
    rank_NC = torch.argsort(order_NC, dim=1)
    return open_NC & ((rank_NC >= masked_N1) | (chance_NC >= rule.confident))


def past_end(eom_C: Tensor) -> Tensor:
    """Each slot's probability of being past the end of the hole, [C], from its odds of `<eom>`.

    The loss weighs all `<eom>` of a canvas together as one token, so the model understates them: of
    a hole with length l, each counts 1 / (C - l). Its odds in slot i are thus
    sum(p(l) / (C - l), l <= i) against sum(p(l), l > i), which is solved for p slot by slot.
    """
    slots, ended, weighed = len(eom_C), 0.0, 0.0
    past: list[float] = []
    for slot, eom in enumerate(eom_C.double().tolist()):
        odds, weight = eom / max(1 - eom, 1e-9), 1 / (slots - slot)
        length = (odds * (1 - ended) - weighed) / (odds + weight)
        length = min(max(length, 0.0), 1 - ended)
        ended += length
        weighed += length * weight
        past.append(ended)
    return torch.tensor(past, dtype=eom_C.dtype, device=eom_C.device)


def length_nats(eom_C: Tensor, break_C: Tensor) -> Tensor:
    """Log-probability, nats, of every length 0..C: float32 [C + 1].

    eom_C    float32 [C], the model's probability of `<eom>` in each slot of a blank canvas
    break_C  float32 [C], each slot's probability of ending the fill by what it says, such as a line
             break where one line is wanted; given that the slot is not past the end
    """
    past_C = past_end(eom_C)
    broken_C = 1 - torch.cumprod(1 - break_C, 0)
    ended_C = (past_C + (1 - past_C) * broken_C).cummax(0).values.clamp(0, 1)
    zero, one = ended_C.new_zeros(1), ended_C.new_ones(1)
    chance = torch.diff(torch.cat([zero, ended_C, one]))
    return (chance + 1e-4).log() - math.log1p(1e-4 * len(chance))


def without_doubtful_nothing(nats: Tensor) -> Tensor:
    """`nats` as `length_nats` gives, and nothing impossible unless it is NOTHING likely.

    Nothing is no suggestion; where it is what the user wants, any other has a low score.
    """
    if float(nats[0]) >= math.log(NOTHING) or len(nats) == 1:
        return nats
    return torch.cat([torch.full_like(nats[:1], float("-inf")), nats[1:]])


def likely_lengths(nats: Tensor, count: int) -> list[Length]:
    """The `count` most probable of the lengths 0..C, best first, but none that is impossible.

    nats  as `length_nats` gives
    """
    best = torch.topk(nats, min(count, int(nats.isfinite().sum())))
    tokens: list[int] = best.indices.tolist()
    values: list[float] = best.values.tolist()
    return [Length(*pair) for pair in zip(tokens, values, strict=True)]


def chance_nats(mean_nats: float, length: Length) -> float:
    """Log-probability that a finished row is exactly what the user would write, <= 0.

    mean_nats  mean log-probability of its tokens, a guess's as judged, others' as they were filled

    Logistic, fitted to the rows that the default model and the guesses made for 400 rests of lines,
    400 lines and 400 times a few lines of 17 repositories, neither learned from nor held out, with
    their workspace and without (`tests/bench/chance_weights.py`, 2026-11-27).
    """
    # the end counts as one token more, so an empty fill is no likelier than that it is empty
    whole_nats = mean_nats * length.tokens + length.nats
    if length.odds is None:
        odds = -1.61 + 0.65 * whole_nats + 0.39 * whole_nats / (length.tokens + 1)
    else:
        odds = 0.13 + 0.88 * length.odds + 0.18 * whole_nats / (length.tokens + 1)
    return -math.log1p(math.exp(-odds))
