"""The whole top-level items around a hole.

Parsing costs what the text is long, and error recovery many times that; so drafts are judged in a
window. It is cut without parsing, at lines that start in column 0 after a blank line: that keeps
decorators, attributes, doc comments and return types on lines of their own with what they belong
to.
"""

import re

REACH = 32 * 1024
"""Most bytes of a window on each side of the hole."""
NEAR = 8 * 1024
"""The same where the cut goes through an item: recovery from that grows with the window."""

# An item does not begin with what continues one, nor with a label, nor with a condition of the
# C preprocessor, which may stand in column 0 anywhere.
_ITEM = re.compile(
    rb"\n[ \t\r\f]*\n"
    rb"(?![\s)\]}]|(?:else|elif|except|finally|catch)\b|\w+[ \t]*:(?!:)|#[ \t]*(?:if|el|endif))"
)
# Where a `}` may close a namespace or class whose body stands in column 0, too.
_CLOSER = re.compile(rb"\n\n(?=\})|\n\}\n(?=\})|\n(?=\}[^\n]*\bnamespace\b)")
_NAMESPACE = re.compile(rb"^(?:inline[ \t]+)?namespace\b", re.MULTILINE)
_NAMESPACE_END = re.compile(rb"\}[^\n]*\bnamespace\b")
_IF, _ENDIF = re.compile(rb"^#[ \t]*if", re.MULTILINE), re.compile(rb"^#[ \t]*endif", re.MULTILINE)


def window_around(text: bytes, start: int, end: int) -> tuple[int, int]:
    """Bytes to cut, first and last, around a hole of bytes `start` up to `end`.

    The item that holds the hole, and its neighbours that close all they open. Where no item starts
    within REACH, the cut is at a line's start within NEAR; in a longer line, NEAR from the hole.
    """
    own, first = _starts(text, start)
    return first, _end(text, end, own)


def _starts(text: bytes, start: int) -> tuple[int, int]:
    """Where the item of the hole starts, and the window."""
    low = max(0, start - REACH)
    line = max(low, text.rfind(b"\n", low, start) + 1)
    # The cursor's own line is no evidence: what is being typed there may continue an item.
    starts = [found.end() for found in _ITEM.finditer(text, low, line) if found.end() < line]
    if low == 0:
        starts = [0, *starts]
    if not starts:
        near = start - NEAR
        cut = text.find(b"\n", near, start) + 1 or near
        return cut, cut
    own = starts[-1]
    if len(starts) > 1 and is_balanced(text[starts[-2] : own]):
        return own, starts[-2]
    return own, own


def _end(text: bytes, end: int, own: int) -> int:
    high = min(len(text), end + REACH)
    line_end = text.find(b"\n", end, high)
    if line_end < 0:
        return min(high, end + NEAR)
    closers = {found.end() for found in _CLOSER.finditer(text, line_end, high)}
    ends = closers.union(found.end() for found in _ITEM.finditer(text, line_end, high))
    own_end = 0
    for at in sorted(ends | {high} if high == len(text) else ends):
        if at in closers:
            if _closes_outside(text, own, at):
                return at
        elif own_end:
            return at if is_balanced(text[own_end:at]) else own_end
        else:
            own_end = at
    return own_end or text.rfind(b"\n", end, end + NEAR) + 1 or end + NEAR


def _closes_outside(text: bytes, own: int, at: int) -> bool:
    """Is the `}` at `at` the end of something that begins before `own`?

    Counting braces errs where the hole lacks one; the customary comment after it does not.
    """
    if _NAMESPACE_END.match(text, at):
        return not _NAMESPACE.search(text[own:at])
    return _open_braces(text[own:at]) <= 0


def is_balanced(text: bytes) -> bool:
    """Does `text` close as many braces and preprocessor conditions as it opens?"""
    return not _open_braces(text) and len(_IF.findall(text)) == len(_ENDIF.findall(text))


def _open_braces(text: bytes) -> int:
    return text.count(b"{") - text.count(b"}")
