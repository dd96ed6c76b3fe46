"""Fills for holes that a line cannot fill: from the middle of one statement into another.

The line before the hole goes on as lines like it do, and what is behind the hole begins as lines
like it do: both halves are looked up in the text itself, each without regard to the other, and put
together. Seldom what the author had, often of its form; the gate says which fit.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product, zip_longest

from engine.outline import FILE_END, joined, outline
from engine.shelves import matches
from engine.types import Span

_PIECES = 6
"""Ways that a line may go on, and as many that one may begin."""
_CLOSERS = 2
"""Lines of closing brackets that may stand between the two halves."""
_CLOSING = re.compile(rb"^[ \t]*[)\]}][)\]};,]*$", re.MULTILINE)
_OVERLAP = 12
"""Most bytes of what is behind the hole that are looked for in a piece."""


@dataclass(frozen=True, slots=True)
class Joints:
    """The halves for one hole in one text, valid UTF-8. `max_lines`: lines a fill may have."""

    text: bytes
    hole: Span
    max_lines: int

    def fills(self, endings: Sequence[bytes]) -> Iterator[bytes]:
        """Within the line where that can be, else over two lines; what is likeliest first.

        endings  what may end the cursor's line, tried in turn with what is looked up
        """
        above, _, typed = self.text[: self.hole.start].rpartition(b"\n")
        rest, _, below = self.text[self.hole.end :].partition(b"\n")
        page = joined((outline(above), outline(below)))
        ends = list(_continued(page, outline(above) + b"\n" + typed.lstrip()))
        key = rest.strip() + b"\n" + outline(below)
        begins = [piece[::-1] for piece in _continued(page[::-1], key[::-1])]
        yield from _within(ends, rest.strip())
        if not typed.strip() and not rest.strip():
            yield from (*begins, *ends)
        if self.max_lines == 1:
            return
        indents = list(dict.fromkeys((_indent(_first_line(below)), _indent(typed))))
        blanks = len(rest) - len(rest.lstrip())
        closers = [b"", *(b"\n" + line for line in _closing_lines(self.text))]
        for parts in _by_rank([*_in_turn(ends, endings), b""], closers, indents, begins):
            end, closer, indent, begin = parts
            yield end + closer + b"\n" + indent[: len(indent) - blanks] + begin


def _continued(page: bytes, key: bytes) -> Iterator[bytes]:
    """What the line says behind repeats of the key's end in the page, the longest repeat first."""
    pieces: dict[bytes, None] = {}
    for match in matches(page, key):
        piece = page[match.end :].partition(b"\n")[0]
        if FILE_END not in piece and piece not in pieces:
            pieces[piece] = None
            yield piece
        if len(pieces) == _PIECES:
            return


def _within(ends: list[bytes], rest: bytes) -> Iterator[bytes]:
    """The pieces up to where they go on as `rest` does, for two bytes or more."""
    for end in ends:
        for size in range(min(_OVERLAP, len(rest)), 1, -1):
            at = end.find(rest[:size])
            if at > 0:
                yield end[:at]
                break


def _closing_lines(text: bytes) -> list[bytes]:
    """The commonest lines of closing brackets alone."""
    return [line for line, _ in Counter(_CLOSING.findall(text)).most_common(_CLOSERS)]


def _in_turn(*pieces: Sequence[bytes]) -> Iterator[bytes]:
    """The first of each, the second of each, and so on."""
    yield from (piece for rank in zip_longest(*pieces) for piece in rank if piece is not None)


def _by_rank(*choices: list[bytes]) -> Iterator[tuple[bytes, ...]]:
    """One of each, in every way, those whose ranks are the least in sum first."""
    ranked = sorted(product(*map(enumerate, choices)), key=lambda found: sum(r for r, _ in found))
    for found in ranked:
        yield tuple(piece for _, piece in found)


def _first_line(text: bytes) -> bytes:
    return next((line for line in text.split(b"\n") if line.strip()), b"")


def _indent(line: bytes) -> bytes:
    return line[: len(line) - len(line.lstrip())]
