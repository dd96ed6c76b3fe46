"""From a fill to the one item that the editor shows."""

import re
from itertools import takewhile

from lsprotocol import types

from lsp_server.context import Site
from lsp_server.positions import Encoding, Place, content, position_of

_CLOSING = re.compile(r"""[\s)>}\]"'`:{;,]*""")
_PAIRS = {")": "(", "]": "[", "}": "{"}


def trim(fill: str, site: Site) -> str:
    """The fill without what the document already has behind the cursor.

    Dropped: an end that the rest of the line repeats, a last line that is the next line of code
    and, where text follows on the line, everything from the first line break on.
    """
    rest = site.rest.decode().strip()
    if rest:
        fill = _without_rest(fill.partition("\n")[0], site.before.decode(), rest)
    else:
        fill = fill.rstrip()
    fill = _without_next_line(fill, site)
    return fill if fill.strip() else ""


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


def _without_rest(fill: str, before: str, rest: str) -> str:
    """The fill less the end that repeats the start of `rest`, the text behind the cursor."""
    for length in range(min(len(fill), len(rest)), 0, -1):
        repeated = rest[:length]
        if not fill.endswith(repeated):
            continue
        if all(mark in _PAIRS for mark in repeated) and _brackets_match(before, fill, rest):
            return fill
        if length == len(rest) or _CLOSING.fullmatch(
            repeated
        ):  # part of a word in common is chance
            return fill[:-length]
    return fill


def _brackets_match(before: str, fill: str, rest: str) -> bool:
    """Whether the line still closes its own brackets: `f(g(|)` takes `x)`, `f(|)` does not."""
    opened, _ = _unmatched(before)
    _, closed = _unmatched(fill)
    still_to_close = len(rest) - len(rest.lstrip("".join(_PAIRS)))
    return closed == 0 or closed + still_to_close <= opened


def _unmatched(text: str) -> tuple[int, int]:
    """Brackets opened and not closed, and brackets closed and not opened."""
    stack: list[str] = []
    closed = 0
    for mark in text:
        if mark in _PAIRS.values():
            stack.append(mark)
        elif mark in _PAIRS and stack and stack[-1] == _PAIRS[mark]:
            stack.pop()
        elif mark in _PAIRS:
            closed += 1
    return len(stack), closed


def _without_next_line(fill: str, site: Site) -> str:
    """The fill without a first or last line that equals the next line of code below the cursor.

    A line of brackets alone may well come twice and is left.
    """
    following = (line.decode().rstrip() for line in site.lines[site.cursor.line + 1 :])
    below = next((line for line in following if line), "")
    if not any(mark.isalnum() for mark in below):
        return fill
    before = site.before.decode()
    first, *more = (before + fill + site.rest.decode()).split("\n")
    if first.rstrip() == below:
        return ""
    if more and more[-1].rstrip() == below:
        return "\n".join([first, *more[:-1]])[len(before) :].rstrip()
    return fill
