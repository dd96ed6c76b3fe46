"""Where a client's position meets a byte."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol.types import Position

from lsp_server.positions import (
    Encoding,
    Place,
    between,
    encode,
    place_at,
    position_of,
    splice,
    split_lines,
)

TEXTS = st.text(alphabet="ab \t\n\r\f\x0b\x1c\x85\u2028\u2029é漢𝄞", max_size=30)
ENCODINGS = st.sampled_from(list(Encoding))
LINES = "é = '𝄞'\nb\r\nc\rd"  # é: 2 bytes, 1 unit of UTF-16; 𝄞: 4 bytes, 2 units


@pytest.mark.parametrize("mark", ["\f", "\v", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_only_newlines_and_returns_end_lines(mark: str) -> None:
    assert split_lines(f"a{mark}b\nc".encode()) == (f"a{mark}b\n".encode(), b"c")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ("",)),
        ("a", ("a",)),
        ("a\n", ("a\n", "")),
        ("a\r\nb\rc\n\rd", ("a\r\n", "b\r", "c\n", "\r", "d")),
    ],
)
def test_the_last_line_has_no_line_end(text: str, lines: tuple[str, ...]) -> None:
    assert split_lines(text.encode()) == tuple(line.encode() for line in lines)


@pytest.mark.parametrize(
    ("encoding", "character", "column"),
    [
        ("utf-8", 6, 6),
        ("utf-8", 7, 6),  # inside 𝄞: its start
        ("utf-8", 10, 10),
        ("utf-16", 5, 6),
        ("utf-16", 6, 6),  # between its surrogates: its start
        ("utf-16", 7, 10),
        ("utf-32", 5, 6),
        ("utf-32", 6, 10),
        ("utf-8", 99, 11),  # beyond the line: its end, before the line end
        ("utf-16", 99, 11),
        ("utf-32", 99, 11),
    ],
)
def test_characters_count_units_of_the_encoding(encoding: str, character: int, column: int) -> None:
    lines = split_lines(LINES.encode())
    assert place_at(lines, Position(0, character), Encoding(encoding)) == Place(0, column)


@pytest.mark.parametrize(
    ("line", "character", "place"),
    [(1, 99, Place(1, 1)), (2, 99, Place(2, 1)), (3, 1, Place(3, 1)), (4, 0, Place(3, 1))],
)
def test_line_ends_are_not_part_of_a_line(line: int, character: int, place: Place) -> None:
    lines = split_lines(LINES.encode())
    assert place_at(lines, Position(line, character), Encoding.Utf16) == place


def test_a_lone_surrogate_stays_one_unit() -> None:
    lines = split_lines(encode("a\ud834b"))
    assert place_at(lines, Position(0, 2), Encoding.Utf16) == Place(0, 2)


@given(TEXTS, ENCODINGS, st.data())
def test_positions_come_back(text: str, encoding: Encoding, data: st.DataObject) -> None:
    lines = split_lines(text.encode())
    line = data.draw(st.integers(0, len(lines) - 1))
    ends = len(lines[line].rstrip(b"\r\n").decode())
    before = lines[line].decode()[: data.draw(st.integers(0, ends))]
    place = Place(line, len(before.encode()))
    assert place_at(lines, position_of(lines, place, encoding), encoding) == place


@given(TEXTS, TEXTS, st.data())
def test_a_splice_is_the_lines_of_the_spliced_text(
    text: str, insert: str, data: st.DataObject
) -> None:
    starts = [0, *(end.end() for end in re.finditer(r"\r\n|\r|\n", text))]
    first, last = sorted(data.draw(st.integers(0, len(text))) for _ in "ab")
    first, last = _nameable(text, first), _nameable(text, last)

    def place(index: int) -> Place:
        line = max(number for number, start in enumerate(starts) if start <= index)
        return Place(line, len(text[starts[line] : index].encode()))

    lines = split_lines(text.encode())
    after = splice(lines, place(first), place(last), insert.encode())
    assert after == split_lines((text[:first] + insert + text[last:]).encode())
    assert between(lines, place(first), place(last)) == text[first:last].encode()


def _nameable(text: str, index: int) -> int:
    """The index, moved off the middle of a \\r\\n, which LSP cannot name."""
    return index - 1 if text[max(0, index - 1) : index + 1] == "\r\n" else index
