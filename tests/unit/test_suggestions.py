"""A suggestion typed through is answered without the engine."""

from dataclasses import replace
from itertools import count

import pytest

from lsp_server.suggestions import Fill, Offer, RecentOffers, adds_to, inside, typed_since
from tests.support.sites import site_at


@pytest.mark.parametrize(
    ("earlier", "now", "typed"),
    [
        ("a = $0\nb", "a = $0\nb", ""),
        ("a = $0\nb", "a = f($0\nb", "f("),
        ("if x:$0\nb", "if x:\n    y$0\nb", "\n    y"),
        ("if x:$0\r\nb", "if x:\r\n    y$0\r\nb", "\n    y"),
        ("a = $0)\nb", "a = '𝄞'$0)\nb", "'𝄞'"),
        ("a = $0\nb", "a =$0\nb", None),  # deleted
        ("a = $0\nb", "a = f$0\nc", None),  # edited below
        ("a = $0\nb", "c = f$0\nb", None),  # edited before
        ("a = $0\nb", "a = \n$0b", None),  # moved
        ("a = $0\nb", "a = f($0)\nb", "f("),  # the editor closed it
        ("a = f($0)\nb", "a = f(g($0))\nb", "g("),
        ("a = f($0)\nb", "a = f(x)$0\nb", "x)"),  # typed over
        ("a = f('$0')\nb", "a = f('x'$0)\nb", "x'"),
        ("a = $0\nb", "a = f($0c)\nb", None),  # more than typed
        ("a = $0 + b", "a = f($0) + b", None),
        ("f(\n    $0)", "f(\n    g($0))", None),  # another line's
    ],
)
def test_typed_since(earlier: str, now: str, typed: str | None) -> None:
    assert typed_since(site_at(earlier), site_at(now)) == typed


def test_another_document_is_another_place() -> None:
    assert typed_since(site_at("$0"), site_at("$0", uri="file:///ws/b.py")) is None


NUMBERS = count()


def offer(*texts: str, alternatives: int = 1, at: str = "x = $0") -> Offer:
    fills = tuple(Fill(text, -0.5) for text in texts)
    return Offer(next(NUMBERS), site_at(at), alternatives, fills)


@pytest.mark.parametrize(
    ("now", "left"),
    [
        ("x = $0", ["total(a)", "top"]),
        ("x = to$0", ["tal(a)", "p"]),
        ("x = top$0", []),
        ("x = tota$0", ["l(a)"]),
        ("x = total(a)$0", []),
        ("x = ta$0", []),
        ("x =$0", []),
        ("x = total($0)", ["a)"]),
        ("x = total(a$0)", []),  # all that is left is there
        ("x = total[$0]", []),
    ],
)
def test_what_is_left_of_an_offer(now: str, left: list[str]) -> None:
    found = offer("total(a)", "top").left_at(site_at(now))
    assert [fill.text for fill in found.fills] == left if found else left == []


@pytest.mark.parametrize(
    ("now", "left"),
    [
        ("if f($0):", []),  # more than closers
        ("if f($0)", ["a, b):"]),
        ("if f(a, $0)", ["b):"]),
        ("if f(a, b$0)", ["):"]),
        ("if f(a, b)$0", [":"]),
        ("if f(a, b):$0", []),
        ("if f(a($0))", []),
    ],
)
def test_an_offer_in_brackets_takes_the_place_of_what_closes_them(
    now: str, left: list[str]
) -> None:
    found = offer("a, b):", at="if f($0)").left_at(site_at(now))
    assert [fill.text for fill in found.fills] == left if found else left == []


@pytest.mark.parametrize(
    ("text", "adds", "in_front"),
    [
        ("x)", True, "x"),
        ("x):", True, "x"),
        ("g(x)) + h(y)", True, "g(x)) + h(y"),
        ("x", False, "x"),
        ("x░░", False, "x░░"),
        (")", False, ")"),
        ("", False, ""),
    ],
)
def test_what_goes_in_front_of_the_closers(text: str, adds: bool, in_front: str) -> None:
    site = site_at("f($0)")
    assert adds_to(site, text) is adds
    assert inside(site, text) == in_front


def test_closers_are_matched_in_their_order() -> None:
    site = site_at('f(["$0"])')
    assert adds_to(site, 'a", "b"])')
    assert inside(site, 'a", "b"])') == 'a", "b'
    assert not adds_to(site, 'a")]')


def test_an_offer_is_used_up_at_the_end_of_one_of_its_fills() -> None:
    assert offer("a)", at="f($0)").used_up_at(site_at("f(a$0)"))
    assert offer("a)", at="f($0)").used_up_at(site_at("f(a)$0"))
    assert offer("total(a)", "top").used_up_at(site_at("x = top$0"))
    assert not offer("total(a)", "top").used_up_at(site_at("x = to$0"))


def test_the_newest_offer_that_fits_and_holds_enough_is_found() -> None:
    recent = RecentOffers()
    assert recent.left_at(site_at("x = $0"), 1) is None
    recent.remember(offer("total(a)", "top", alternatives=3))
    recent.remember(offer("tally(a)"))
    one, three = (recent.left_at(site_at("x = t$0"), wanted) for wanted in (1, 3))
    assert one is not None
    assert three is not None
    assert [fill.text for fill in one.fills] == ["ally(a)"]
    assert [fill.text for fill in three.fills] == ["otal(a)", "op"]


def test_what_is_shown_of_an_offer_takes_its_place() -> None:
    recent, whole = RecentOffers(), offer("total(a)", "total")
    recent.remember(whole)
    recent.remember(replace(whole, fills=whole.fills[1:]))
    left = recent.left_at(site_at("x = to$0"), 1)
    assert left is not None
    assert [fill.text for fill in left.fills] == ["tal"]
    assert recent.left_at(site_at("x = total$0"), 1) is None


def test_a_step_back_finds_the_offer_before() -> None:
    recent = RecentOffers()
    recent.remember(offer("total(a)"))
    recent.remember(offer("(b)", at="x = f$0"))
    found = recent.left_at(site_at("x = $0"), 1)
    assert found is not None
    assert found.fills[0].text == "total(a)"


def test_what_is_left_is_an_offer_for_where_it_is_left() -> None:
    left = offer("total(a)").left_at(site_at("x = to$0"))
    assert left is not None
    assert left.site == site_at("x = to$0")
    assert left.used_up_at(site_at("x = total(a)$0"))


@pytest.mark.parametrize(
    ("now", "rejoined"),
    [
        ("x = sum($0", "a, f(b))"),
        ("x = sum(c,$0", " f(b))"),
        ("x = sum(max($0", "b))"),
        ("x = sum($0)", "a, f(b))"),
        ("x = sum$0", ""),  # a word begun
        ("x = sum(a, $0", ""),  # a blank is met too easily
        ("x = total($0", ""),  # typed along
        ("x = sum[$0", ""),  # they never meet
        ("x = $0", ""),
        ("y = sum($0", ""),
    ],
)
def test_where_typing_meets_the_suggestion_again_the_rest_is_kept(now: str, rejoined: str) -> None:
    recent = RecentOffers()
    recent.remember(offer("total(a, f(b))"))
    assert recent.rejoined_at(site_at(now)) == rejoined
