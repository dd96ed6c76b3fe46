"""What might mend a fault: the few tokens to write anew, and what is plainly missing.

Tried are insertions alone, and brackets that close nothing taken out: nothing the user wrote is
lost without the denoiser's word for it.
"""

import re
import time
from collections.abc import Iterator, Sequence
from itertools import islice

from engine.types import Remedy, Span
from grammars import Fault, Language, closing, faults_in, unmatched

_NEAR_TOKENS = 2
_GAPS, _TRIED = 6, 12
_LINES_ABOVE = 3
"""A bracket left open shows as a fault on a later line."""
_WIDEST = 120
"""Bytes of a fault that count; an open bracket may put a whole file into one."""
_TRIES, _PATIENCE_S = 80, 0.5
"""So many edits are judged at most, and for so long: each one parses the text."""

_TOKEN = re.compile(rb"[\w\x80-\xff]+|[^\w\s]")
"""A character beyond ASCII counts as one of a word, so that none is cut."""
_QUOTES = (b'"', b"'", b"`")
_MARKS = (b",", b":", b"=", b" in", b" +")
"""What may be missing between two tokens."""
_LINE_ENDS = (b":", b";", b",", b" {")

Edit = tuple[int, int, bytes]


def remedies(
    language: Language, text: bytes, faults: Sequence[Fault], region: Span
) -> tuple[Remedy, ...]:
    """One for the first fault of the region, from its first line to its last; () if it has none."""
    first = text.rfind(b"\n", 0, region.start) + 1
    line_end = text.find(b"\n", region.end)
    last = len(text) if line_end < 0 else line_end
    near = [fault for fault in faults if fault.start <= last and fault.end >= first]
    if not near:
        return ()
    fault = min(near, key=lambda fault: (fault.end - fault.start, fault.start))
    start = max(fault.start, min(first, fault.end))
    end = max(start, min(fault.end, last))
    end = start + len(text[start:end][:_WIDEST].decode(errors="ignore").encode())
    nearby = _gaps(text, _around(text, start, end, ()), start, end)
    edits = [
        *_edits(text, start),
        *((gap, gap, mark) for mark in _MARKS for gap in nearby[:_TRIED]),
    ]
    sound = _sound(language, text, edits, len(faults))
    hole = _around(text, start, end, sound)
    tries = tuple(
        text[hole.start : at] + inserted + text[behind : hole.end] for at, behind, inserted in sound
    )
    return (
        Remedy(Span(fault.start, fault.end), hole, _gaps(text, hole, start, end)[:_GAPS], tries),
    )


def _gaps(text: bytes, hole: Span, start: int, end: int) -> tuple[int, ...]:
    """Behind each token of the hole and in front of the first, the nearest to the fault first."""
    behind = [found.end() for found in _TOKEN.finditer(text, hole.start, hole.end)]
    gaps = sorted({hole.start, *behind}, key=lambda gap: min(abs(gap - start), abs(gap - end)))
    return tuple(gaps)


def _around(text: bytes, start: int, end: int, edits: Sequence[Edit]) -> Span:
    """The fault, what the edits change, and the nearest tokens on either side."""
    start = min(start, *(at for at, _, _ in edits)) if edits else start
    end = max(end, *(behind for _, behind, _ in edits)) if edits else end
    first = text.rfind(b"\n", 0, start) + 1
    before = [found.start() for found in _TOKEN.finditer(text, first, start)]
    line_end = end + len(text[end:].partition(b"\n")[0])
    after = [found.end() for found in _TOKEN.finditer(text, end, line_end)]
    return Span(
        before[-_NEAR_TOKENS:][0] if before else start,
        after[:_NEAR_TOKENS][-1] if after else end,
    )


def _sound(language: Language, text: bytes, edits: Sequence[Edit], faults: int) -> list[Edit]:
    """The edits that leave fewest faults, fewer than there are; at most three."""
    judged: list[tuple[int, Edit]] = []
    deadline = time.monotonic() + _PATIENCE_S
    for edit in islice(dict.fromkeys(edits), _TRIES):
        if time.monotonic() >= deadline:
            break
        at, behind, inserted = edit
        left = len(faults_in(language, text[:at] + inserted + text[behind:]))
        if left < faults:
            judged.append((left, edit))
    least = min((left for left, _ in judged), default=0)
    return [edit for left, edit in judged if left == least][:3]


def _edits(text: bytes, place: int) -> Iterator[Edit]:
    """What may be missing on the fault's line and those above it, and brackets too many there."""
    starts = [text.rfind(b"\n", 0, place) + 1]
    while starts[-1] > 0 and len(starts) <= _LINES_ABOVE:
        starts.append(text.rfind(b"\n", 0, starts[-1] - 1) + 1)
    for first in starts:
        line = text[first:].partition(b"\n")[0].rstrip()
        opened, _ = unmatched(text[starts[-1] : first + len(line)])
        yield from _edits_of_line(line, first, closing(opened))


def _edits_of_line(line: bytes, first: int, closers: bytes) -> Iterator[Edit]:
    """`closers` would close what is open at the end of the line."""
    last = first + len(line)
    ends = [last]
    if line[-1:] in (b":", b";", b",", b"{"):
        ends.insert(0, first + len(line[:-1].rstrip()))
    for end in ends:
        yield from ((end, end, mark) for mark in (closers, closers[:1]) if mark)
    for place, _ in unmatched(line)[1]:
        yield first + place, first + place + 1, b""
    for mark in _LINE_ENDS:
        yield last, last, mark
        yield last, last, closers + mark
    for end in ends:
        yield from ((end, end, quote) for quote in _QUOTES if quote in line)
    indentation = line[: len(line) - len(line.lstrip())]
    if closers:
        yield last, last, b"\n" + indentation + closers[:1]
