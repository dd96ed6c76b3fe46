"""What lines say of the blocks they are in, by their ends and their indentation; no grammar."""

import re

from lsp_server.context import Site
from lsp_server.positions import Lines

_HEADS = (
    rb"def|class|if|elif|else|for|while|with|try|except|finally|match|case|switch|default"
    rb"|public|private|protected"
)
_BEHIND_A_COLON = rb"^\s*(?:async\s+)?(?:" + _HEADS + rb")\b.*:\s*$"
OPENS_A_BLOCK = re.compile(rb"\{\s*$|=>\s*$|\b(?:do|then|begin)\s*$|" + _BEHIND_A_COLON)
OPENS_A_LIST = re.compile(rb"[(\[]\s*$")
_OPENS_A_BRACKET = re.compile(rb"[{(\[]\s*$")
_CLOSES = re.compile(rb"\s*[)\]}]")
_INDENTED = re.compile(rb"(\t| {2,8})\S")
"""One step of indentation: a comment of stars is indented by one blank, and goes for none."""
_NEARBY_LINES = 100


def missing_indentation(site: Site) -> bytes:
    """What a blank line lacks in front of the cursor of the indentation that it is to have.

    Little enough that whatever the line will hold has as much. The engine may add to it; a grammar
    would ask for it in few languages.
    """
    if site.before.strip() or site.rest.strip():
        return b""
    row = site.cursor.line
    wanted = _wanted(site.lines, row)
    return wanted[len(site.before) :] if wanted.startswith(site.before) else b""


def _wanted(lines: Lines, row: int) -> bytes:
    above = next(filter(bytes.strip, (lines[at] for at in range(row - 1, -1, -1))), b"")
    below = next(filter(bytes.strip, (lines[at] for at in range(row + 1, len(lines)))), b"")
    outer, after = _indentation(above), _indentation(below)
    if not (OPENS_A_BLOCK.search(above) or OPENS_A_LIST.search(above)):
        return outer if _CLOSES.match(below) else _shared(outer, after)
    if len(after) > len(outer):
        return after
    if _OPENS_A_BRACKET.search(above) and not _CLOSES.match(below):
        return _shared(outer, after)  # what the bracket holds is not indented here
    return outer + _step(lines, row)


def _step(lines: Lines, row: int) -> bytes:
    """By how much the lines around are indented more than those that they belong to, at least."""
    nearby = lines[max(0, row - _NEARBY_LINES) : row + _NEARBY_LINES]
    return min((found[1] for line in nearby if (found := _INDENTED.match(line))), default=b"")


def _indentation(line: bytes) -> bytes:
    return line[: len(line) - len(line.lstrip())]


def _shared(one: bytes, other: bytes) -> bytes:
    """The lesser of two indentations; none of tabs and blanks mixed."""
    less, more = sorted((one, other), key=len)
    return less if more.startswith(less) else b""
