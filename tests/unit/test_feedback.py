"""What became of a suggestion, and the caution that follows from it."""

import pytest

from lsp_server.feedback import CALM_S, Feedback
from lsp_server.suggestions import Fill, Offer
from tests.support.sites import site_at


class Wall:
    """A clock that is set, and the events that were counted."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.events: list[tuple[str, int]] = []
        self.feedback = Feedback(lambda: self.now_s, lambda *event: self.events.append(event))

    def show(self, number: int, line: int = 0) -> None:
        site = site_at("\n" * line + "x = $0")
        self.feedback.show(Offer(number, site, 1, (Fill("total(a)", -0.5),)))

    def reject(self, number: int, line: int) -> None:
        self.show(number, line)
        self.feedback.observe(site_at("\n" * line + "x = other$0"))

    def reject_lines(self, count: int, pause_s: float = 1.0) -> None:
        for number in range(1, count + 1):
            self.reject(number, line=number)
            self.now_s += pause_s


def test_what_is_shown_is_counted_once_and_typing_along_changes_nothing() -> None:
    wall = Wall()
    wall.show(1)
    wall.show(1)
    assert not wall.feedback.observe(site_at("x = tot$0"))
    assert wall.events == [("shown", 0)]


@pytest.mark.parametrize(
    "now", ["x = $0\ny = 1", "x =$0", "x = total(a)$0", "x = total(a) + 1$0", "x = total(a$0)"]
)
def test_moving_away_deleting_and_taking_it_are_no_rejections(now: str) -> None:
    wall = Wall()
    wall.show(1)
    wall.feedback.observe(site_at(now))
    assert wall.events == [("shown", 0)]


def test_typing_against_it_is_a_rejection() -> None:
    wall = Wall()
    wall.reject(1, line=0)
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


@pytest.mark.parametrize(("usual", "cautious"), [(0.0, 0.0), (0.2, 1 / 3), (0.5, 2 / 3), (1, 1)])
def test_after_three_rejections_the_odds_have_to_be_twice_as_good(
    usual: float, cautious: float
) -> None:
    wall = Wall()
    wall.reject_lines(2)
    assert wall.feedback.least_chance(usual) == usual
    wall.reject(3, line=3)
    assert wall.feedback.least_chance(usual) == pytest.approx(cautious)


def test_no_number_of_rejections_silences_it() -> None:
    wall = Wall()
    wall.reject_lines(50, pause_s=0.1)
    assert wall.feedback.least_chance(0.2) == pytest.approx(1 / 3)


def test_a_line_that_goes_against_every_suggestion_is_one_rejection() -> None:
    wall = Wall()
    for number in range(1, 9):
        wall.reject(number, line=0)
    assert wall.feedback.least_chance(0.2) == 0.2
    assert wall.events.count(("rejected", 0)) == 8


def test_caution_ends_by_itself() -> None:
    wall = Wall()
    wall.reject_lines(5)
    assert wall.feedback.least_chance(0.2) > 0.2
    wall.now_s += CALM_S
    assert wall.feedback.least_chance(0.2) == 0.2


def test_rejections_far_apart_are_no_annoyance() -> None:
    wall = Wall()
    wall.reject_lines(10, pause_s=CALM_S / 2)
    assert wall.feedback.least_chance(0.2) == 0.2


def test_an_acceptance_ends_caution() -> None:
    wall = Wall()
    wall.reject_lines(4)
    wall.feedback.accept(9, 4)
    assert wall.feedback.least_chance(0.2) == 0.2


def test_so_does_a_suggestion_that_is_typed_to_its_end() -> None:
    wall = Wall()
    wall.reject_lines(4)
    wall.show(5, line=9)
    wall.feedback.observe(site_at("\n" * 9 + "x = total(a)$0"))
    assert wall.feedback.least_chance(0.2) == 0.2
