"""What a fill must not say again: the rest of the line, a closing bracket, the next line.

Trimmed before the syntax gate sees it, so that what is checked is what is inserted.
"""

import re
from dataclasses import dataclass

from engine.types import Span
from grammars import unmatched

_CLOSING = re.compile(r"""[\s)>}\]"'`:{;,]*""")
_BREAK = re.compile(r"[\r\n]")
_CLOSERS = ")]}"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The hole's line before and behind it, and the next line of code, "" where there is none.

    rest    without the blanks around it
    spaced  whether there are blanks in front of it
    """

    before: str
    rest: str
    below: str
    spaced: bool = False

    @classmethod
    def of(cls, text: bytes, hole: Span) -> "Surroundings":
        """Read them off a text in UTF-8."""
        before = text[text.rfind(b"\n", 0, hole.start) + 1 : hole.start]
        rest, _, following = text[hole.end :].partition(b"\n")
        lines = (line.rstrip() for line in following.splitlines())
        below = next((line for line in lines if line), b"")
        return cls(before.decode(), rest.decode().strip(), below.decode(), rest[:1].isspace())

    def trim(self, fill: str) -> str:
        """The fill without what the document already has behind the hole.

        Dropped: an end that the rest of the line repeats, a last line that is the next line of
        code, blanks next to blanks or at the end of a line and, where text follows on the line,
        everything from the first line break on.
        """
        fill = self._without_rest_of_line(fill)
        if self.before.strip() and self.before[-1].isspace():
            fill = fill.lstrip(" \t")
        fill = self._without_line_below(fill)
        return fill if fill.strip() else ""

    def _without_rest_of_line(self, fill: str) -> str:
        if not self.rest:
            return fill.rstrip()
        line = _BREAK.split(fill, maxsplit=1)[0]
        if not self.spaced:
            return _without_rest(line, self.before, self.rest)
        return _without_rest(line.rstrip(), self.before, self.rest).rstrip()

    def _without_line_below(self, fill: str) -> str:
        """The fill without a first or last line that equals the line below.

        A line of brackets alone may well come twice and is left.
        """
        if not any(mark.isalnum() for mark in self.below):
            return fill
        first, *more = (self.before + fill + self.rest).split("\n")
        if first.rstrip() == self.below:
            return ""
        if more and more[-1].rstrip() == self.below:
            return "\n".join([first, *more[:-1]])[len(self.before) :].rstrip()
        return fill


def _without_rest(fill: str, before: str, rest: str) -> str:
    """The fill less the end that repeats the start of `rest`."""
    for length in range(min(len(fill), len(rest)), 0, -1):
        repeated = rest[:length]
        if not fill.endswith(repeated):
            continue
        if all(mark in _CLOSERS for mark in repeated) and _brackets_match(before, fill, rest):
            return fill
        # a part of a word in common is chance
        if length == len(rest) or _CLOSING.fullmatch(repeated):
            return fill[:-length]
    return fill


def _brackets_match(before: str, fill: str, rest: str) -> bool:
    """Whether the line still closes its own brackets: `f(g(|)` takes `x)`, `f(|)` does not."""
    opened, _ = unmatched(before.encode())
    _, closed = unmatched(fill.encode())
    still_to_close = len(rest) - len(rest.lstrip(_CLOSERS))
    return not closed or len(closed) + still_to_close <= len(opened)
