"""The open documents and notebooks, as immutable snapshots. Nothing here reads a disk."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from lsprotocol import types

from lsp_server.positions import (
    Encoding,
    Lines,
    Place,
    between,
    encode,
    place_at,
    splice,
    split_lines,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Removal:
    """Text that the user has just deleted, and where it was."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of one open document.

    removal  what the last edits took away in one place, None when the last edit was another
    """

    uri: str
    language: str
    version: int
    lines: Lines
    removal: Removal | None = None


class Session:
    """What one client has open. A document is known by its URI exactly as the client spells it."""

    def __init__(self, encoding: Encoding = Encoding.Utf16) -> None:
        self.encoding = encoding
        self._documents: dict[str, Snapshot] = {}

    def open(self, item: types.TextDocumentItem) -> None:
        """Take over a document from the client."""
        lines = split_lines(encode(item.text))
        self._documents[item.uri] = Snapshot(item.uri, item.language_id, item.version, lines)

    def change(
        self,
        identifier: types.VersionedTextDocumentIdentifier,
        changes: Iterable[types.TextDocumentContentChangeEvent],
    ) -> None:
        """Apply edits in order, each to the text that the one before left."""
        before = self._documents.get(identifier.uri)
        if before is None:
            logger.warning("a change to %s, which is not open, was ignored", identifier.uri)
            return
        lines, removal = before.lines, before.removal
        for change in changes:
            lines, removal = self._apply(lines, change, removal)
        self._documents[identifier.uri] = Snapshot(
            before.uri, before.language, identifier.version, lines, removal
        )

    def close(self, uri: str) -> None:
        """Forget a document."""
        self._documents.pop(uri, None)

    def snapshot(self, uri: str) -> Snapshot | None:
        """The document as it is now, None if the client has not opened it."""
        return self._documents.get(uri)

    def _apply(
        self, lines: Lines, change: types.TextDocumentContentChangeEvent, earlier: Removal | None
    ) -> tuple[Lines, Removal | None]:
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            return split_lines(encode(change.text)), None
        start = place_at(lines, change.range.start, self.encoding)
        end = place_at(lines, change.range.end, self.encoding)
        start, end = sorted((start, end))  # LSP says nothing of a range that is reversed
        removal = None if change.text else _removal(lines, start, end, earlier)
        return splice(lines, start, end, encode(change.text)), removal


def _removal(lines: Lines, start: Place, end: Place, earlier: Removal | None) -> Removal | None:
    """What is deleted within a line, together with what was deleted behind it just before."""
    if start.line != end.line:
        return None
    text = between(lines, start, end).decode()
    before = earlier.text if earlier is not None and earlier.place == end else ""
    return Removal(start, text + before)
