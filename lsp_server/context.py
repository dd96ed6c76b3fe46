"""From a cursor in a document to the engine's request: what it sees, how much it may fill."""

import re
from dataclasses import dataclass
from itertools import accumulate, takewhile

from engine.types import InfillRequest, Span
from lsp_server.positions import Lines, Place, between, content, splice, split_lines

MAX_LINES_BEFORE = 1_500
MAX_LINES_AFTER = 500
MAX_BYTES_BEFORE = 96 * 1024
MAX_BYTES_AFTER = 32 * 1024
STRIDE_LINES = 100
"""The window begins at a multiple of this, so typing rarely moves what the engine has cached."""
MAX_LINE_BYTES = 8 * 1024
"""A longer line under the cursor was made by a program; there is nothing to suggest in it."""

# What may follow the cursor for a request that nobody made by hand: closing brackets and quotes
# (often put there by the editor), then the end of a clause.
_REST_OF_LINE = re.compile(rb"""[)>}\]"'`]*\s*[:{;,]?""")
_OPENS_A_BLOCK = (b":", b"{", b"(", b"[")


@dataclass(frozen=True, slots=True)
class Site:
    """A cursor in one version of a document: what a suggestion depends on."""

    uri: str
    language: str
    lines: Lines
    cursor: Place

    @property
    def before(self) -> bytes:
        """The cursor's line up to the cursor."""
        return self.lines[self.cursor.line][: self.cursor.column]

    @property
    def rest(self) -> bytes:
        """The cursor's line from the cursor on, without its line end."""
        return content(self.lines[self.cursor.line])[self.cursor.column :]

    def replaced(self, start: Place, end: Place, text: bytes) -> "Site":
        """The site after `start`..`end` became `text`, with the cursor behind it."""
        lines = splice(self.lines, start, end, text)
        prefix = between(self.lines, Place(start.line, 0), start) + text
        typed = split_lines(prefix)
        cursor = Place(start.line + len(typed) - 1, len(typed[-1]))
        return Site(self.uri, self.language, lines, cursor)


def wanted(site: Site) -> bool:
    """Whether an automatic request here is worth the engine's time.

    Not in the middle of a line, unless only closing characters follow.
    """
    return _REST_OF_LINE.fullmatch(site.rest.strip()) is not None


def lines_allowed(site: Site, invoked: bool, max_lines: int) -> int:
    """Lines that a fill may have: one within a line, several where a block is to be written.

    A blank line asks for several after a line that opens a block, and wherever the user asked by
    hand (`invoked`).
    """
    if (site.before + site.rest).strip():
        return 1
    opened = _nonblank_before(site).endswith(_OPENS_A_BLOCK)
    return max_lines if invoked or opened else 1


def build_request(site: Site, max_lines: int, budget_ms: float) -> InfillRequest | None:
    """The part of the document around the cursor, with an empty hole at the cursor.

    It is cut at line ends; line ends are all \\n, as the model was trained. None when the cursor's
    line is too long to be worth it.
    """
    row = site.cursor.line
    if len(site.lines[row]) > MAX_LINE_BYTES:
        return None
    earlier = site.lines[max(0, row - MAX_LINES_BEFORE) : row]
    start = row - _lines_that_fit(earlier[::-1], MAX_BYTES_BEFORE)
    if start > 0:
        start = min(-(-start // STRIDE_LINES) * STRIDE_LINES, row)
    later = site.lines[row + 1 : row + 1 + MAX_LINES_AFTER]
    end = row + 1 + _lines_that_fit(later, MAX_BYTES_AFTER)
    before = _with_newlines(b"".join(site.lines[start:row]) + site.before)
    after = _with_newlines(
        between(site.lines, site.cursor, Place(end - 1, len(site.lines[end - 1])))
    )
    hole = Span(len(before), len(before))
    return InfillRequest(before + after, hole, site.language, max_lines, budget_ms=budget_ms)


def _nonblank_before(site: Site) -> bytes:
    """The nearest line above the cursor's that is not blank, without space at its ends."""
    above = reversed(site.lines[max(0, site.cursor.line - MAX_LINES_BEFORE) : site.cursor.line])
    return next((line.strip() for line in above if line.strip()), b"")


def _lines_that_fit(lines: Lines, budget_bytes: int) -> int:
    """How many of the lines, from the first, stay within the budget together."""
    totals = accumulate(len(line) for line in lines)
    return sum(1 for _ in takewhile(lambda total: total <= budget_bytes, totals))


def _with_newlines(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
