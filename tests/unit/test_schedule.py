"""When to unmask, when to revoke, how long a hole is."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.schedule import (
    Length,
    Rule,
    chance_nats,
    length_nats,
    likely_lengths,
    past_end,
    places_to_revoke,
    places_to_unmask,
    without_doubtful_nothing,
)

SHARES = st.integers(0, 8).map(lambda eighths: eighths / 8)
"""Few different values, so that equals are common."""


@st.composite
def canvases(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Confidence [N, C] and which places are masked."""
    rows, slots = draw(st.integers(1, 3)), draw(st.integers(1, 8))
    numbers = draw(st.lists(SHARES, min_size=rows * slots, max_size=rows * slots))
    masked = draw(st.lists(st.booleans(), min_size=rows * slots, max_size=rows * slots))
    return torch.tensor(numbers).view(rows, slots), torch.tensor(masked).view(rows, slots)


@given(canvases(), SHARES, st.integers(1, 9))
def test_so_many_places_are_unmasked_that_each_row_is_filled_in_the_passes_left(
    canvas: tuple[Tensor, Tensor], confident: float, passes: int
) -> None:
    confidence_NC, masked_NC = canvas
    for left in range(passes, 0, -1):
        chosen_NC = places_to_unmask(
            confidence_NC, confidence_NC, masked_NC, Rule(confident=confident), left
        )
        assert not (chosen_NC & ~masked_NC).any()
        assert torch.equal(chosen_NC.any(1), masked_NC.any(1))
        masked_NC = masked_NC & ~chosen_NC
    assert not masked_NC.any()


@given(canvases(), SHARES, st.integers(1, 9))
def test_what_is_unmasked_is_sure_or_among_the_surest_and_leftmost(
    canvas: tuple[Tensor, Tensor], confident: float, passes: int
) -> None:
    confidence_NC, masked_NC = canvas
    chosen_NC = places_to_unmask(
        confidence_NC, confidence_NC, masked_NC, Rule(confident=confident), passes
    )
    for confidence, masked, chosen in zip(
        confidence_NC.tolist(), masked_NC.tolist(), chosen_NC.tolist(), strict=True
    ):
        places = [place for place, hidden in enumerate(masked) if hidden]
        sure = {place for place in places if confidence[place] >= confident}
        least = math.ceil(len(places) / passes)
        surest = sorted(places, key=lambda place: (-confidence[place], place))[:least]
        assert {place for place, yes in enumerate(chosen) if yes} == sure.union(surest)


def test_only_doubtful_places_with_a_change_left_are_revoked() -> None:
    rule = Rule(doubtful=0.1, remask_limit=2)
    current = torch.tensor([[0.05, 0.05, 0.05, 0.05, 0.1, 0.9]])
    filled = torch.tensor([[True, False, True, True, True, True]])
    revoked = torch.tensor([[0, 0, 1, 2, 0, 0]])
    found = places_to_revoke(current, filled, revoked, rule)
    assert found.tolist() == [[True, False, True, False, False, False]]


def lengths_of(past: list[float], breaks: list[float] | None = None) -> list[Length]:
    """All lengths, best first."""
    break_C = torch.tensor(breaks or [0.0] * len(past))
    return likely_lengths(length_nats(torch.tensor(past), break_C), len(past) + 1)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_lengths_are_a_probability_distribution_best_first(
    ends: list[tuple[float, float]],
) -> None:
    past, breaks = zip(*ends, strict=True)
    lengths = lengths_of(list(past), list(breaks))
    assert sorted(length.tokens for length in lengths) == list(range(len(ends) + 1))
    assert sum(math.exp(length.nats) for length in lengths) == pytest.approx(1, abs=1e-3)
    assert all(better.nats >= worse.nats for better, worse in pairwise(lengths))


@given(st.integers(0, 15))
def test_the_first_slot_past_the_end_says_the_length(length: int) -> None:
    best, *_ = lengths_of([0.0] * length + [0.99] * (16 - length))
    assert best.tokens == length
    assert math.exp(best.nats) == pytest.approx(0.99, abs=0.01)


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=33))
def test_lengths_are_found_again_from_what_their_weighted_loss_teaches(shares: list[float]) -> None:
    chances = [share / sum(shares) for share in shares]
    slots = len(chances) - 1
    says: list[float] = []
    for slot in range(slots):
        ended = sum(chances[n] / (slots - n) for n in range(slot + 1))
        says.append(ended / (ended + sum(chances[slot + 1 :])))
    past = past_end(torch.tensor(says, dtype=torch.float64)).tolist()
    assert past == pytest.approx([sum(chances[: slot + 1]) for slot in range(slots)], abs=1e-6)


@given(st.integers(0, 15))
def test_a_line_break_ends_the_only_line(length: int) -> None:
    breaks = [0.9 if slot == length else 0.0 for slot in range(16)]
    best, *_ = lengths_of([0.0] * 16, breaks)
    assert best.tokens == length


def test_a_canvas_that_no_slot_ends_is_full() -> None:
    best, *_ = lengths_of([0.0] * 16)
    assert best.tokens == 16
    assert best.nats == pytest.approx(0, abs=0.01)


def test_no_more_lengths_are_given_than_asked_for_or_than_there_are() -> None:
    nats = length_nats(torch.tensor([0.5]), torch.tensor([0.0]))
    assert len(likely_lengths(nats, 3)) == 2
    assert len(likely_lengths(nats, 1)) == 1


@pytest.mark.parametrize(("nothing", "likeliest"), [(0.95, 0), (0.8, 1)])
def test_nothing_is_the_answer_only_where_that_is_nearly_sure(
    nothing: float, likeliest: int
) -> None:
    nats = torch.tensor([nothing, 1 - nothing]).log()
    assert likely_lengths(without_doubtful_nothing(nats), 2)[0].tokens == likeliest


@given(st.floats(-20, 0), st.floats(-9, 0), st.floats(-9, 2))
def test_a_likelier_row_has_the_better_chance(mean: float, length: float, odds: float) -> None:
    for kind in (None, odds):
        chance = chance_nats(mean, Length(3, length, kind))
        assert chance <= 0
        assert chance_nats(mean / 2, Length(3, length, kind)) >= chance
        assert chance_nats(mean, Length(3, length / 2, kind)) >= chance
    assert chance_nats(mean, Length(3, length, 2.0)) >= chance_nats(mean, Length(3, length, odds))
