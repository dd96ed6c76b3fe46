"""From a fill to the one item that the editor shows."""

from itertools import takewhile

from lsprotocol import types

from lsp_server.context import Site
from lsp_server.positions import Encoding, Place, content, position_of


def item(
    fill: str, site: Site, selected: types.SelectedCompletionInfo | None, encoding: Encoding
) -> types.InlineCompletionItem:
    """One item whose range lies on the cursor's line and holds what is already typed there.

    The range starts at the word or, in a line that is blank so far, at its start: an editor that
    draws the item late, over characters typed meanwhile, then hides those. It ends at the cursor,
    or at the end of the line under a fill of several lines, as VS Code requires. With a `selected`
    popup entry LSP wants that entry's range, and text that extends the entry's.
    """
    if selected is not None:
        return types.InlineCompletionItem(insert_text=selected.text + fill, range=selected.range)
    typed = site.before.decode()
    if typed.strip():
        word = sum(1 for _ in takewhile(_in_word, reversed(typed)))
        typed = typed[len(typed) - word :]
    row, column = site.cursor.line, site.cursor.column
    start = Place(row, column - len(typed.encode()))
    end = Place(row, len(content(site.lines[row]))) if "\n" in fill else site.cursor
    span = types.Range(
        position_of(site.lines, start, encoding), position_of(site.lines, end, encoding)
    )
    return types.InlineCompletionItem(insert_text=typed + fill, range=span)


def _in_word(mark: str) -> bool:
    return mark.isalnum() or mark == "_"
