"""What the engine gets to see, and how much it may fill."""

import pytest

from lsp_server.context import (
    MAX_BYTES_BEFORE,
    MAX_LINE_BYTES,
    MAX_LINES_AFTER,
    MAX_LINES_BEFORE,
    STRIDE_LINES,
    build_request,
    lines_allowed,
    wanted,
)
from lsp_server.positions import Place
from tests.support.sites import site_at


def test_a_small_document_is_sent_whole_with_its_line_ends_made_newlines() -> None:
    request = build_request(site_at("a\r\nb = $0)\rc\n"), 1, 400)
    assert request is not None
    assert request.text == b"a\nb = )\nc\n"
    assert (request.hole.start, request.hole.end) == (6, 6)
    assert (request.language, request.max_lines, request.budget_ms) == ("python", 1, 400)


def test_a_long_document_is_cut_around_the_cursor_at_line_ends() -> None:
    lines = [f"line {number}" for number in range(5_000)]
    lines[3_333] += "$0"
    request = build_request(site_at("\n".join(lines)), 1, 400)
    assert request is not None
    before = request.text[: request.hole.start].decode().split("\n")
    after = request.text[request.hole.end :].decode().splitlines()
    assert before[-1] == "line 3333"
    assert int(before[0].removeprefix("line ")) % STRIDE_LINES == 0
    assert MAX_LINES_BEFORE - STRIDE_LINES < len(before) <= MAX_LINES_BEFORE + 1
    assert after[-1] == f"line {3_333 + MAX_LINES_AFTER}"


def test_typing_on_does_not_move_the_window() -> None:
    text = "x = 1\n" * 3_050
    one, two = (build_request(site_at(text + more + "$0"), 1, 400) for more in ("", "y = 2\n"))
    assert one is not None
    assert two is not None
    assert two.text.startswith(one.text)


def test_huge_lines_around_the_cursor_are_left_out() -> None:
    wide = "#" * MAX_BYTES_BEFORE + "\n"
    request = build_request(site_at(f"{wide}x = $0\n{wide}"), 1, 400)
    assert request is not None
    assert request.text == b"x = \n"


def test_nothing_is_asked_in_a_huge_line() -> None:
    assert build_request(site_at(" " * (MAX_LINE_BYTES + 1) + "$0"), 1, 400) is None


@pytest.mark.parametrize("rest", ["", "  ", ")", '")', "):", "]) {", ");", "},"])
def test_an_automatic_request_before_closing_characters_is_wanted(rest: str) -> None:
    assert wanted(site_at(f"f($0{rest}\n"))


@pytest.mark.parametrize("rest", ["x", " + y", ") + 1", "o = 2"])
def test_an_automatic_request_within_code_is_not(rest: str) -> None:
    assert not wanted(site_at(f"f$0{rest}\n"))


def test_a_rest_of_spaces_is_judged_at_once() -> None:
    assert not wanted(site_at("$0" + " " * 200_000 + "x" + " " * 200_000))


@pytest.mark.parametrize(
    ("text", "invoked", "lines"),
    [
        ("def f():\n    $0\n", False, 10),
        ("void f() {\n    $0\n}\n", False, 10),
        ("call(\n\n    $0\n)\n", False, 10),
        ("x = 1\n$0\n", False, 1),
        ("x = 1\n$0\n", True, 10),
        ("$0", False, 1),
        ("$0", True, 10),
        ("def f():\n    x$0\n", True, 1),
        ("def f():\n    $0)\n", True, 1),
    ],
)
def test_several_lines_are_for_blank_lines_in_new_blocks_or_on_demand(
    text: str, invoked: bool, lines: int
) -> None:
    assert lines_allowed(site_at(text), invoked, 10) == lines


def test_a_popup_entry_is_put_in_place() -> None:
    site = site_at("x.clo$0()\n").replaced(Place(0, 2), Place(0, 5), b"close")
    assert site.lines == (b"x.close()\n", b"")
    assert site.cursor == Place(0, 7)
