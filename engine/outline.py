"""Text as it is compared: without indentation and blank lines. What is left out is kept apart."""

from collections.abc import Iterable
from typing import NamedTuple

FILE_END = b"\0"
"""A line between two texts, so that nothing matches across them. No line of code is this."""

_BLANK = 0x80
_WIDEST = 0x7F


def outline(text: bytes) -> bytes:
    """The lines of a text that are not blank, stripped."""
    return b"\n".join(filter(None, map(bytes.strip, text.split(b"\n"))))


def margins(text: bytes) -> bytes:
    """A byte for each line of the text's outline, of which an empty one has one too.

    By how many characters it is indented, and the highest bit if a blank line is above it.
    """
    found = bytearray()
    above = 0
    for line in text.split(b"\n"):
        body = line.lstrip()
        if body:
            found.append(min(len(line) - len(body), _WIDEST) | above)
        above = 0 if body else _BLANK
    return bytes(found) or b"\0"


class Outline(NamedTuple):
    """The outline of one text or of several, FILE_END between two, and the margins of its lines."""

    text: bytes
    margins: bytes

    @classmethod
    def of(cls, text: bytes) -> "Outline":
        """The outline of a text."""
        return cls(outline(text), margins(text))


def joined(outlines: Iterable[bytes]) -> bytes:
    """Outlines one behind the other."""
    return (b"\n" + FILE_END + b"\n").join(outlines)


def joined_margins(parts: Iterable[bytes]) -> bytes:
    """The margins of what `joined` makes of the outlines that have these."""
    return b"\0".join(parts)


def laid_out(lines: list[bytes], margins: bytes, indent: bytes, line_break: bytes) -> bytes:
    """Lines of an outline as they stood below another, whose margin comes first, indented anew.

    indent      what the line above them has now: they keep their distance to it
    line_break  comes before each
    """
    text = b""
    for line, margin in zip(lines, margins[1:], strict=True):
        blank = line_break if margin & _BLANK else b""
        deeper = (margin & _WIDEST) - (margins[0] & _WIDEST)
        text += blank + line_break + _moved(indent, deeper) + line
    return text


def _moved(indent: bytes, deeper: int) -> bytes:
    """An indentation that is so many characters longer, or shorter."""
    return indent[: len(indent) + deeper] if deeper < 0 else indent + (indent[-1:] or b" ") * deeper
