"""From a cursor in a document to the engine's request: what it sees, how much it may fill."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, takewhile
from urllib.parse import unquote, urlsplit

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

_ITEM = re.compile(rb"[^\s)\]}]")
_CLOSERS = re.compile(rb"""[)\]}"'`]+""")


@dataclass(frozen=True, slots=True)
class Site:
    """A cursor in one version of a document: what a suggestion depends on.

    above, below  lines of the same notebook in front of and behind this document, a cell
    """

    uri: str
    language: str
    lines: Lines
    cursor: Place
    above: Lines = ()
    below: Lines = ()

    @property
    def before(self) -> bytes:
        """The cursor's line up to the cursor."""
        return self.lines[self.cursor.line][: self.cursor.column]

    @property
    def rest(self) -> bytes:
        """The cursor's line from the cursor on, without its line end."""
        return content(self.lines[self.cursor.line])[self.cursor.column :]

    @property
    def closers(self) -> bytes:
        """The rest of the line where all it does is close what is open; b"" where there is more.

        Editors put them there as brackets and quotes are opened, and what the user goes on to write
        has them in it. Before a line's first mark nothing is open.
        """
        is_open = self.before.strip() and _CLOSERS.fullmatch(self.rest)
        return self.rest if is_open else b""

    @property
    def behind_closers(self) -> Place:
        """Where a suggestion ends, which has the closers in it."""
        return Place(self.cursor.line, self.cursor.column + len(self.closers))

    def replaced(self, start: Place, end: Place, text: bytes) -> "Site":
        """The site after `start`..`end` became `text`, with the cursor behind it."""
        lines = splice(self.lines, start, end, text)
        prefix = between(self.lines, Place(start.line, 0), start) + text
        typed = split_lines(prefix)
        cursor = Place(start.line + len(typed) - 1, len(typed[-1]))
        return replace(self, lines=lines, cursor=cursor)


def file_name(uri: str) -> str:
    """What the engine knows a file by: the same for all spellings of its URI."""
    return unquote(urlsplit(uri).path)


def is_too_wide(site: Site) -> bool:
    """Whether a program made the cursor's line, so that there is nothing to suggest in it."""
    return len(site.lines[site.cursor.line]) > MAX_LINE_BYTES


def build_request(site: Site, max_lines: int, budget_ms: float) -> InfillRequest | None:
    """The part of the document around the cursor, with an empty hole at the cursor.

    A cell of a notebook is seen with its neighbours. The text is cut between items where there are
    any, or else at line ends; line ends are all \\n, as the model was trained. None when the
    cursor's line is too wide.
    """
    if is_too_wide(site):
        return None
    site = _with_neighbours(site)
    row = site.cursor.line
    earlier = site.lines[max(0, row - MAX_LINES_BEFORE) : row]
    start = row - _lines_that_fit(earlier[::-1], MAX_BYTES_BEFORE)
    if start > 0:
        start = min(-(-start // STRIDE_LINES) * STRIDE_LINES, row)
        start = next(_items(site.lines, range(start, (start + row) // 2)), start)
    later = site.lines[row + 1 : row + 1 + MAX_LINES_AFTER]
    end = row + 1 + _lines_that_fit(later, MAX_BYTES_AFTER)
    if end < len(site.lines):
        end = next(_items(site.lines, range(end, (row + 1 + end) // 2, -1)), end)
    before = with_newlines(b"".join(site.lines[start:row]) + site.before)
    after = with_newlines(
        between(site.lines, site.cursor, Place(end - 1, len(site.lines[end - 1])))
    )
    hole = Span(len(before), len(before))
    return InfillRequest(
        before + after,
        hole,
        site.language,
        max_lines,
        budget_ms=budget_ms,
        file=file_name(site.uri),
    )


def _with_neighbours(site: Site) -> Site:
    """The cell as a place in one long document."""
    cursor = Place(site.cursor.line + len(site.above), site.cursor.column)
    lines = site.above + site.lines + site.below
    return replace(site, lines=lines, cursor=cursor, above=(), below=())


def _items(lines: Lines, rows: range) -> Iterator[int]:
    """Rows that plainly begin an item of the file: in column 0, behind a blank line.

    Cut elsewhere the text has faults, which cost the engine far more than the rest of an answer.
    """
    return (row for row in rows if _ITEM.match(lines[row]) and not lines[row - 1].strip())


def _lines_that_fit(lines: Lines, budget_bytes: int) -> int:
    """How many of the lines, from the first, stay within the budget together."""
    totals = accumulate(len(line) for line in lines)
    return sum(1 for _ in takewhile(lambda total: total <= budget_bytes, totals))


def with_newlines(text: bytes) -> bytes:
    """The text with \\n for every line end."""
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
