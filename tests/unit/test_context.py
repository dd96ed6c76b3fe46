"""What the engine gets to see, and how much it may fill."""

from dataclasses import replace

import pytest

from lsp_server.context import (
    MAX_BYTES_BEFORE,
    MAX_LINE_BYTES,
    MAX_LINES_AFTER,
    MAX_LINES_BEFORE,
    STRIDE_LINES,
    build_request,
)
from lsp_server.positions import Place
from tests.support.sites import site_at


def test_a_small_document_is_sent_whole_with_its_line_ends_made_newlines() -> None:
    request = build_request(site_at("a\r\nb = $0)\rc\n"), 1, 400)
    assert request is not None
    assert request.text == b"a\nb = )\nc\n"
    assert (request.hole.start, request.hole.end) == (6, 6)
    assert (request.language, request.max_lines, request.budget_ms) == ("python", 1, 400)


@pytest.mark.parametrize(
    ("text", "closers"),
    [
        ("f(['$0'])", "'])"),
        ("f($0) + b", ""),
        ("f($0, b)", ""),
        ("f(\n    $0)", ""),  # the user's own
        ("f($0):", ""),
    ],
)
def test_what_only_closes_what_is_open(text: str, closers: str) -> None:
    assert site_at(text).closers.decode() == closers


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


def test_a_long_document_is_cut_between_items() -> None:
    items = [
        f"def f{number}():\n" + "    x = (\n        1\n    )\n" * 9 + "\n\n"
        for number in range(300)
    ]
    items[200] = "def g():\n    return $0\n\n\n"
    request = build_request(site_at("".join(items)), 1, 400)
    assert request is not None
    assert request.text.startswith(b"def f")
    assert request.text.endswith(b"    )\n\n\n")
    assert request.text.count(b"\n", 0, request.hole.start) > MAX_LINES_BEFORE - 2 * STRIDE_LINES


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


def test_a_cell_is_seen_with_its_neighbours() -> None:
    cell = replace(site_at("y = $0"), above=(b"x = 1\n", b"\n"), below=(b"\n", b"\n", b"z = 3\n"))
    request = build_request(cell, 1, 400)
    assert request is not None
    assert request.text == b"x = 1\n\ny = \n\nz = 3\n"
    assert request.hole.start == len(b"x = 1\n\ny = ")


def test_a_popup_entry_is_put_in_place() -> None:
    site = site_at("x.clo$0()\n").replaced(Place(0, 2), Place(0, 5), b"close")
    assert site.lines == (b"x.close()\n", b"")
    assert site.cursor == Place(0, 7)
