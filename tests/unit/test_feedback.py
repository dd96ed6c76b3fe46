"""What became of a suggestion, and the caution that follows from it."""

import pytest

from lsp_server.feedback import FORGET_S, Feedback
from lsp_server.suggestions import Fill, Offer
from tests.support.sites import site_at


class Wall:
    """A clock that is set, and the events that were counted."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.events: list[tuple[str, int]] = []
        self.feedback = Feedback(lambda: self.now_s, lambda *event: self.events.append(event))

    def show(self, number: int) -> None:
        self.feedback.show(Offer(number, site_at("x = $0"), 1, (Fill("total(a)", -0.5),)))

    def reject(self, number: int) -> None:
        self.show(number)
        self.feedback.observe(site_at("x = other$0"))


def test_what_is_shown_is_counted_once_and_typing_along_changes_nothing() -> None:
    wall = Wall()
    wall.show(1)
    wall.show(1)
    assert not wall.feedback.observe(site_at("x = tot$0"))
    assert wall.events == [("shown", 0)]


@pytest.mark.parametrize("now", ["x = $0\ny = 1", "x =$0", "x = total(a)$0", "x = total(a) + 1$0"])
def test_moving_away_deleting_and_taking_it_are_no_rejections(now: str) -> None:
    wall = Wall()
    wall.show(1)
    wall.feedback.observe(site_at(now))
    assert wall.events == [("shown", 0)]


def test_typing_against_it_is_a_rejection() -> None:
    wall = Wall()
    wall.reject(1)
    wall.feedback.observe(site_at("x = others$0"))
    assert wall.events == [("shown", 0), ("rejected", 0)]


def test_taking_it_to_its_end_is_told() -> None:
    wall = Wall()
    wall.show(1)
    assert wall.feedback.observe(site_at("x = total(a)$0"))
    assert not wall.feedback.observe(site_at("x = total(a) $0"))


def test_an_acceptance_counts_once_and_is_no_rejection_afterwards() -> None:
    wall = Wall()
    wall.show(1)
    wall.feedback.accept(1, 8)
    wall.feedback.accept(1, 8)
    wall.feedback.observe(site_at("x = else$0"))
    assert wall.events == [("shown", 0), ("accepted", 8)]


def test_caution_grows_from_the_third_rejection_and_ends_with_an_acceptance() -> None:
    wall = Wall()
    chances: list[float] = []
    for number in range(1, 5):
        wall.reject(number)
        chances.append(round(wall.feedback.least_chance(0.25), 3))
    assert chances == [0.25, 0.25, 0.4, 0.52]
    wall.feedback.accept(9, 4)
    assert wall.feedback.least_chance(0.25) == 0.25


def test_rejections_are_forgotten() -> None:
    wall = Wall()
    for number in range(1, 5):
        wall.reject(number)
    wall.now_s += FORGET_S + 1
    assert wall.feedback.least_chance(0.25) == 0.25
