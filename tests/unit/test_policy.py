"""What is decided at every key, without a grammar."""

import math

import pytest

from lsp_server.policy import (
    Silence,
    distinct,
    is_snippet,
    lines_allowed,
    reason_against,
    reason_to_hold_back,
)
from lsp_server.suggestions import Fill
from tests.support.sites import site_at


@pytest.mark.parametrize("rest", ["", "  ", ")", '")', "):", "]) {", ");", "},", " + y", ") + 1"])
def test_an_automatic_request_before_closing_characters_or_little_else_is_wanted(rest: str) -> None:
    assert reason_against(site_at(f"f($0{rest}\n")) == Silence.NONE


@pytest.mark.parametrize("rest", ["x", "o = 2", " + first + second", ") + the_rest"])
def test_an_automatic_request_within_a_word_or_before_code_is_not(rest: str) -> None:
    assert reason_against(site_at(f"f$0{rest}\n")) == Silence.MID_LINE


def test_a_rest_of_spaces_is_judged_at_once() -> None:
    spaces = " " * 200_000
    assert reason_against(site_at(f"x$0{spaces}one_more_name{spaces}")) == Silence.MID_LINE


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    $0\n",
        "x = 1\n$0\n",
        "$0",
        "call(\n\n    $0\n)\n",
        "def f(a: int) -> int:$0\n",
        "    async def f():$0\n",
        "    else:$0\n",
        "void f() {$0\n}\n",
        "const f = (x) =>$0\n",
        "for x in y; do$0\n",
    ],
)
def test_several_lines_are_for_blank_lines_and_where_a_block_is_open(text: str) -> None:
    assert lines_allowed(site_at(text), after_accepted=False, max_lines=10) == 10


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    x$0\n",
        "def f():\n    $0)\n",
        "total = sum($0\n",
        "names = [$0\n",
        "point = {x:$0\n",
        "let x:$0\n",
    ],
)
def test_one_line_is_for_the_rest(text: str) -> None:
    assert lines_allowed(site_at(text), after_accepted=False, max_lines=10) == 1


def test_several_lines_may_follow_an_accepted_one() -> None:
    assert lines_allowed(site_at("x = f(a)$0\n"), after_accepted=True, max_lines=10) == 10
    assert lines_allowed(site_at("x = f(a$0)\n"), after_accepted=True, max_lines=10) == 1


def fill(text: str, chance: float = 0.5) -> Fill:
    return Fill(text, math.log(chance))


def test_alternatives_that_look_alike_are_one() -> None:
    found = [fill("total(values)"), fill("total( values )"), fill("total(values);"), fill("  ")]
    assert distinct([*found, fill("max(values)")]) == (fill("total(values)"), fill("max(values)"))


@pytest.mark.parametrize(
    ("found", "removed", "reason"),
    [
        (fill("total(a)", 0.3), "", Silence.NONE),
        (fill("total(a)", 0.2), "", Silence.UNLIKELY),
        (fill("})", 0.9), "", Silence.SHORT),
        (fill("  })  ", 0.9), "", Silence.SHORT),
        (fill("total total total total total", 0.9), "", Silence.REPEATS),
        (fill("a.b.a.b.a.b.a.b.c", 0.9), "", Silence.REPEATS),
        (fill("x, 0, 0, 0, 0, 0, 0)", 0.9), "", Silence.NONE),
        (fill("# -------------------", 0.9), "", Silence.NONE),
        (fill("a, a + b, a + b + c", 0.9), "", Silence.NONE),
        (fill("total(a)", 0.9), "total", Silence.UNDOES),
        (fill("total(a)", 0.9), "l(a)", Silence.NONE),
        (fill("total(a)", 0.9), " ", Silence.NONE),
    ],
)
def test_what_was_found_may_be_held_back(found: Fill, removed: str, reason: Silence) -> None:
    assert reason_to_hold_back(found, removed, least_chance=0.25) == reason


@pytest.mark.parametrize(
    ("selected", "snippet"),
    [("close", False), ("close()", False), ("for ${1:i}", True), ("$0", True), ("$name", False)],
)
def test_entries_with_places_to_fill_in(selected: str, snippet: bool) -> None:
    assert is_snippet(selected) is snippet
