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

    def edit(self, now: Lines) -> Edit:
        behind = len(now) - self.last - 1
        return Edit(
            _text(self.base[self.first : len(self.base) - behind]),
            _text(now[self.first : self.last + 1]),
            self.first,
            self.last,
        )


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
        if burst is None or first > burst.last or first + removed < burst.first:
            if burst is not None:
                finished = self._finished.setdefault(uri, deque(maxlen=REMEMBERED))
                finished.append(burst.edit(before.lines))
            self._bursts[uri] = _Burst(before.lines, first, first + added)
            return
        last = max(burst.last, first + removed) + added - removed
        self._bursts[uri] = _Burst(burst.base, min(burst.first, first), last)

    def last(self, now: Snapshot) -> Edit | None:
        """The last edit of a document; None if there was none, or it came to nothing."""
        burst = self._bursts.get(now.uri)
        edit = burst.edit(now.lines) if burst else None
        return edit if edit and edit.old != edit.new else None

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
        rows = sorted((only.range.start.line, only.range.end.line))
        removed = rows[1] - rows[0]
        return rows[0], removed, max(0, removed + len(after) - len(before))
    shared = min(len(before), len(after))
    head = next((i for i in range(shared) if before[i] is not after[i]), shared)
    tail = next((i for i in range(shared - head) if before[-1 - i] is not after[-1 - i]), 0)
    first = min(head, len(after) - 1, len(before) - 1)
    return (
        first,
        max(0, len(before) - tail - 1 - first),
        max(0, len(after) - tail - 1 - first),
    )


def _text(lines: Lines) -> str:
    return b"\n".join(content(line) for line in lines).decode()
