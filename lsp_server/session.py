"""The open documents, as immutable snapshots. Nothing here reads a disk."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from lsprotocol import types

from lsp_server.positions import Encoding, Lines, encode, place_at, splice, split_lines

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of one open document."""

    uri: str
    language: str
    version: int
    lines: Lines


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
        lines = before.lines
        for change in changes:
            lines = self._apply(lines, change)
        self._documents[identifier.uri] = Snapshot(
            before.uri, before.language, identifier.version, lines
        )

    def close(self, uri: str) -> None:
        """Forget a document."""
        self._documents.pop(uri, None)

    def snapshot(self, uri: str) -> Snapshot | None:
        """The document as it is now, None if the client has not opened it."""
        return self._documents.get(uri)

    def _apply(self, lines: Lines, change: types.TextDocumentContentChangeEvent) -> Lines:
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            return split_lines(encode(change.text))
        start = place_at(lines, change.range.start, self.encoding)
        end = place_at(lines, change.range.end, self.encoding)
        # LSP says nothing of a range whose end comes first; editors read it forwards.
        return splice(lines, min(start, end), max(start, end), encode(change.text))
