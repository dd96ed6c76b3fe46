"""A version of a document as one run of bytes with \\n at its line ends, and changes to it."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from engine.types import Span
from lsp_server.positions import Place, content
from lsp_server.session import Snapshot


class Declined(Exception):
    """Nothing is done. One sentence: why, and what to do where something can be done."""


@dataclass(frozen=True, slots=True)
class Change:
    """Bytes `start` up to `end` become `text`."""

    start: int
    end: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """One version of one document; offsets count bytes of `text`.

    starts  where each line starts
    """

    snapshot: Snapshot
    text: bytes
    starts: tuple[int, ...]

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Page":
        """Read a snapshot."""
        lines = [content(line) for line in snapshot.lines]
        starts = accumulate((len(line) + 1 for line in lines[:-1]), initial=0)
        return cls(snapshot, b"\n".join(lines), tuple(starts))

    @property
    def newline(self) -> bytes:
        """What ends the document's first line; \\n if it has but one."""
        first = self.snapshot.lines[0]
        return first[len(content(first)) :] or b"\n"

    def place(self, offset: int) -> Place:
        """Where a byte is."""
        line = bisect_right(self.starts, offset) - 1
        return Place(line, offset - self.starts[line])

    def offset(self, place: Place) -> int:
        """The byte at a place; the end of the line for one in its line end."""
        return self.starts[place.line] + min(
            place.column, len(content(self.snapshot.lines[place.line]))
        )

    def line(self, row: int) -> Span:
        """A line without its end."""
        start = self.starts[row]
        return Span(start, start + len(content(self.snapshot.lines[row])))

    def lines_of(self, span: Span) -> Span:
        """The whole lines that a span touches, without the last line end."""
        end = self.text.find(b"\n", span.end)
        return Span(self.text.rfind(b"\n", 0, span.start) + 1, len(self.text) if end < 0 else end)


def changed(text: bytes, changes: Sequence[Change]) -> bytes:
    """The text after changes that are in order and apart."""
    pieces: list[bytes] = []
    done = 0
    for change in changes:
        pieces += [text[done : change.start], change.text]
        done = change.end
    return b"".join([*pieces, text[done:]])


def narrowed(text: bytes, change: Change) -> Change:
    """The same change, without what it leaves as it was at its ends."""
    old = text[change.start : change.end].decode()
    new = change.text.decode()
    head = _shared(old, new)
    tail = _shared(old[head:][::-1], new[head:][::-1])
    start = change.start + len(old[:head].encode())
    end = change.end - len(old[len(old) - tail :].encode())
    return Change(start, end, new[head : len(new) - tail].encode())


def rebased(changes: Sequence[Change], old: bytes, new: bytes) -> tuple[Change, ...] | None:
    """The changes to `old` as changes to `new`; None if what became of `old` touches one."""
    edit = narrowed(old, Change(0, len(old), new))
    moved: list[Change] = []
    for change in changes:
        if change.end < edit.start:
            moved.append(change)
        elif change.start > edit.end:
            shift = len(new) - len(old)
            moved.append(Change(change.start + shift, change.end + shift, change.text))
        elif old != new:
            return None
        else:
            moved.append(change)
    return tuple(moved)


def _shared(one: str, other: str) -> int:
    """Characters that both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
