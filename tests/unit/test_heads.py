"""Heads of a suggestion that are likelier right than all of it."""

import math
import time

import pytest

from engine.heads import heads

CHANCES = {"self.total(a)": 0.15, "self.total(b)": 0.1, "self.count()": 0.15, "other": 0.05}


def found(
    whole: str, chances: dict[str, float], *unsound: str, deadline: float = math.inf
) -> dict[str, float]:
    """Heads, longest first, and their probabilities."""
    of = heads(whole, chances, lambda head: head.decode() not in unsound, deadline)
    return {head.text: round(math.exp(head.score_nats), 3) for head in of}


def test_a_head_is_as_likely_as_all_that_begin_with_it() -> None:
    assert found("self.total(a)", CHANCES) == {"self.total": 0.25, "self.": 0.4}


def test_brackets_stay_in_pairs() -> None:
    chances = {"f(a)(b)": 0.2, "f(a)[c]": 0.2}
    assert list(found("f(a)(b)", chances)) == ["f(a)"]


def test_an_unsound_head_is_passed_over() -> None:
    assert list(found("self.total(a)", CHANCES, "self.total")) == ["self."]
    assert list(found("self.total(a)", CHANCES, "self.total", "self.")) == ["self"]


@pytest.mark.parametrize(
    "chances",
    [
        {"self.total(a)": 0.3},
        {"self.total(a)": 0.3, "self.total(b)": 0.01},
        {"self.total(a)": 0.03, "self.total(b)": 0.03},
        {"ab.c": 0.3, "ab.d": 0.3},
    ],
    ids=["alone", "hardly likelier", "unlikely too", "shorter than four characters"],
)
def test_what_is_hardly_likelier_or_of_no_use_is_none(chances: dict[str, float]) -> None:
    assert found(next(iter(chances)), chances) == {}


def test_chances_that_come_to_more_than_one_are_shared_out() -> None:
    chances = {"self.total(a)": 0.4, "self.total(b)": 0.8, "other": 0.8}
    assert found("self.total(a)", chances) == {"self.total": 0.6}


def test_past_the_deadline_there_are_none() -> None:
    assert found("self.total(a)", CHANCES, deadline=time.monotonic() - 1) == {}
