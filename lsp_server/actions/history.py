"""What the user last did to each document: the edits in one place, as one.

Edits belong together while each touches a line that the ones before it touched.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from lsprotocol import types

from lsp_server.positions import Lines, content
from lsp_server.session import Snapshot

REMEMBERED = 8
"""Finished edits of a document that are not to be undone by a suggestion."""
MOST_LINES = 200
"""An edit of more was made by a program, and is not to be carried on."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What stood in some whole lines, and what stands there now.

    first, last  the lines, in the version that the edit led to
    """

    old: str
    new: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Burst:
    """Edits in one place: the text before them, and the lines they touched as they are now."""

    base: Lines
    first: int
    last: int

    @property
    def is_wide(self) -> bool:
        """Whether a program made it: what the user does next is another edit."""
        return self.last - self.first >= MOST_LINES

    def edit(self, now: Lines) -> Edit | None:
        """What the edits came to; None if that is nothing, or too much."""
        behind = len(now) - self.last - 1
        old = self.base[self.first : len(self.base) - behind]
        new = now[self.first : self.last + 1]
        if old == new or max(len(old), len(new)) > MOST_LINES:
            return None
        return Edit(_text(old), _text(new), self.first, self.last)


class EditHistory:
    """The last edit of each open document, and the few before it."""

    def __init__(self) -> None:
        self._bursts: dict[str, _Burst] = {}
        self._finished: dict[str, deque[Edit]] = {}

    def observe(
        self,
        before: Snapshot,
        after: Snapshot,
        changes: Sequence[types.TextDocumentContentChangeEvent],
    ) -> None:
        """Note a change. It costs nothing of the document's size where it is one change."""
        uri, burst = after.uri, self._bursts.get(after.uri)
        first, removed, added = _touched(before.lines, after.lines, changes)
        if burst is None or burst.is_wide or first > burst.last or first + removed < burst.first:
            edit = burst.edit(before.lines) if burst else None
            if edit is not None:
                self._finished.setdefault(uri, deque(maxlen=REMEMBERED)).append(edit)
            self._bursts[uri] = _Burst(before.lines, first, first + added)
            return
        last = max(burst.last, first + removed) + added - removed
        self._bursts[uri] = _Burst(burst.base, min(burst.first, first), last)

    def last(self, now: Snapshot) -> Edit | None:
        """The last edit of a document; None if there was none to carry on."""
        burst = self._bursts.get(now.uri)
        return burst.edit(now.lines) if burst else None

    def earlier(self, uri: str) -> tuple[Edit, ...]:
        """The finished edits before the last one, oldest first."""
        return tuple(self._finished.get(uri, ()))

    def forget(self, uri: str) -> None:
        """A document was closed."""
        self._bursts.pop(uri, None)
        self._finished.pop(uri, None)


def _touched(
    before: Lines, after: Lines, changes: Sequence[types.TextDocumentContentChangeEvent]
) -> tuple[int, int, int]:
    """First line that changed, and how many further lines it was before and is after."""
    only = changes[0] if len(changes) == 1 else None
    if isinstance(only, types.TextDocumentContentChangePartial):
        last = len(before) - 1  # a place beyond the end is the end
        rows = sorted(min(row.line, last) for row in (only.range.start, only.range.end))
        removed = rows[1] - rows[0]
        return rows[0], removed, max(0, removed + len(after) - len(before))
    shared = min(len(before), len(after))
    head = next((i for i in range(shared) if before[i] != after[i]), shared)
    most = shared - head
    tail = next((i for i in range(most) if before[-1 - i] != after[-1 - i]), most)
    first = min(head, len(after) - 1, len(before) - 1)
    return (
        first,
        max(0, len(before) - tail - 1 - first),
        max(0, len(after) - tail - 1 - first),
    )


def _text(lines: Lines) -> str:
    return b"\n".join(content(line) for line in lines).decode()
