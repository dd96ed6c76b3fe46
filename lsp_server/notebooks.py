"""Notebooks: which cells stand around which, so that they are seen as one document.

The text of a cell is a document of its own, with a URI of its own, in `Session`; here is only their
order.
"""

from collections.abc import Callable, Iterable

from lsprotocol import types

from lsp_server.positions import Lines, split_lines
from lsp_server.session import Snapshot

SYNC = types.NotebookDocumentSyncOptions(
    notebook_selector=[types.NotebookDocumentFilterWithNotebook(notebook="*")]
)
"""Every notebook, whatever made it."""


class Notebooks:
    """The code cells of every open notebook, in order."""

    def __init__(self) -> None:
        self._cells: dict[str, list[types.NotebookCell]] = {}

    def open(self, notebook: types.NotebookDocument) -> None:
        """Take over a notebook from the client."""
        self._cells[notebook.uri] = list(notebook.cells)

    def change(self, uri: str, array: types.NotebookCellArrayChange) -> None:
        """Put cells in, take cells out."""
        cells = self._cells.get(uri, [])
        cells[array.start : array.start + array.delete_count] = array.cells or []

    def describe(self, uri: str, changed: Iterable[types.NotebookCell]) -> None:
        """Take over what has changed of cells but their text: code has become prose, say."""
        new = {cell.document: cell for cell in changed}
        cells = self._cells.get(uri, [])
        cells[:] = [new.get(cell.document, cell) for cell in cells]

    def close(self, uri: str) -> None:
        """Forget a notebook."""
        self._cells.pop(uri, None)

    def around(self, cell: Snapshot, read: Callable[[str], Snapshot | None]) -> tuple[Lines, Lines]:
        """The lines above and below a cell, of cells in its language; none outside notebooks."""
        for cells in self._cells.values():
            uris = [each.document for each in cells if each.kind == types.NotebookCellKind.Code]
            if cell.uri in uris:
                at = uris.index(cell.uri)
                before = _joined(map(read, uris[:at]), cell.language)
                after = _joined(map(read, uris[at + 1 :]), cell.language)
                return before and (*before, b"\n"), after and (b"\n", b"\n", *after)
        return (), ()


def _joined(cells: Iterable[Snapshot | None], language: str) -> Lines:
    """The lines of the cells in one language, with a blank line between two of them."""
    texts = [b"".join(cell.lines) for cell in cells if cell and cell.language == language]
    lines = split_lines(b"\n\n".join(texts) + b"\n") if texts else ()
    return lines[:-1]
