"""From a fill to what the editor shows: ghost text, or an entry of its menu."""

from itertools import takewhile

from lsprotocol import types

from lsp_server.context import Site
from lsp_server.positions import Encoding, Lines, Place, content, position_of

ACCEPTED = "sfumato.accepted"
"""The command that an editor runs when it has put a suggestion into the document."""


def item(
    fill: str,
    site: Site,
    selected: types.SelectedCompletionInfo | None,
    encoding: Encoding,
    number: int,
) -> types.InlineCompletionItem:
    """One item whose range lies on the cursor's line and holds what is already typed there.

    The range starts at the word or, in a line that is blank so far, at its start: an editor that
    draws the item late, over characters typed meanwhile, then hides those. It ends at the cursor,
    or behind the closers if more follows them in the fill: VS Code lets the user type over those
    that no edit has touched. Or at the end of the line under a fill of several, as VS Code
    requires, or where the line is nothing but the fill's own indentation. With a `selected` popup
    entry LSP wants that entry's range, and text that extends the entry's: then the fill is for the
    place in front of the closers.
    """
    if selected is not None:
        taken = _taken(number, len(fill))
        return types.InlineCompletionItem(selected.text + fill, range=selected.range, command=taken)
    typed, written = _typed(site), len(fill) - len(site.closers)
    end = site.behind_closers
    if "\n" not in fill and fill.endswith(site.closers.decode()):
        fill, end = fill[:written], site.cursor
    row, column = site.cursor.line, site.cursor.column
    start = Place(row, column - len(typed.encode()))
    line = content(site.lines[row]).decode()
    if "\n" in fill or (not line.strip() and (typed + fill).startswith(line)):
        end = Place(row, len(line.encode()))
    covered = span(site.lines, start, end, encoding)
    taken = _taken(number, written)
    return types.InlineCompletionItem(typed + fill, range=covered, command=taken)


def popup(fill: str, site: Site, encoding: Encoding, number: int) -> types.CompletionItem:
    """The same as an entry of the menu: last in it, chosen by nobody but the user."""
    word = _word(site.before.decode())
    start = Place(site.cursor.line, site.cursor.column - len(word.encode()))
    covered = span(site.lines, start, site.cursor, encoding)
    return types.CompletionItem(
        label=(word + fill).strip().partition("\n")[0],
        kind=types.CompletionItemKind.Text,
        detail="Sfumato",
        documentation=(word + fill).strip(),
        sort_text="\U0010ffff",
        filter_text=word,
        preselect=False,
        insert_text_format=types.InsertTextFormat.PlainText,
        insert_text_mode=types.InsertTextMode.AsIs,
        text_edit=types.TextEdit(covered, word + fill),
        command=_taken(number, len(fill)),
    )


def _taken(number: int, characters: int) -> types.Command:
    return types.Command("Accepted", ACCEPTED, arguments=[number, characters])


def _typed(site: Site) -> str:
    """What the range begins with: the word begun, or all of a line that is blank so far."""
    typed = site.before.decode()
    return _word(typed) if typed.strip() else typed


def _word(typed: str) -> str:
    """The word at the end of a text, "" if it ends with none."""
    return typed[len(typed) - sum(1 for _ in takewhile(_in_word, reversed(typed))) :]


def span(lines: Lines, start: Place, end: Place, encoding: Encoding) -> types.Range:
    """The range from one place to another."""
    return types.Range(position_of(lines, start, encoding), position_of(lines, end, encoding))


def _in_word(mark: str) -> bool:
    return mark.isalnum() or mark == "_"
