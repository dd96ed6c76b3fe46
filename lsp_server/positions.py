"""The only place where an LSP (line, character) meets bytes, and where text is cut into lines.

A document is a tuple of lines, each UTF-8 bytes with its line end; the last has none and may be
empty. So an edit touches the lines it names and shares the rest with the version before, and every
version is immutable. Lines end at \\n, \\r\\n and \\r alone, as LSP says: `str.splitlines` also
ends them at form feed and U+2028 and must not be used (`bytes.splitlines` does not).
"""

from dataclasses import dataclass

from lsprotocol import types

Encoding = types.PositionEncodingKind
"""What `character` counts, agreed at initialize."""

Lines = tuple[bytes, ...]

# Codec without a byte order mark, and the bytes in one of its code units.
_UNITS: dict[Encoding, tuple[str, int]] = {
    Encoding.Utf8: ("utf-8", 1),
    Encoding.Utf16: ("utf-16-le", 2),
    Encoding.Utf32: ("utf-32-le", 4),
}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a document: `column` counts UTF-8 bytes from the start of line `line`."""

    line: int
    column: int


def encode(text: str) -> bytes:
    """UTF-8 of text off the wire; a lone surrogate, which JSON can carry, becomes "?".

    One code unit stays one code unit, so later positions on the line still agree with the client.
    """
    return text.encode(errors="replace")


def split_lines(text: bytes) -> Lines:
    """The lines of a text with their line ends; at least one, the last without a line end."""
    lines = text.splitlines(keepends=True)
    if not lines or lines[-1].endswith((b"\n", b"\r")):
        lines.append(b"")
    return tuple(lines)


def content(line: bytes) -> bytes:
    """A line without its line end."""
    return line.rstrip(b"\r\n")


def place_at(lines: Lines, position: types.Position, encoding: Encoding) -> Place:
    """Where a client's position is.

    Beyond its line means the end of that line, beyond the last line the end of the document, and
    inside a character (half of a surrogate pair) the start of that character.
    Source: LSP 3.18, Position.
    """
    if position.line >= len(lines):
        return Place(len(lines) - 1, len(lines[-1]))
    line = content(lines[position.line])
    if line.isascii():
        return Place(position.line, min(position.character, len(line)))
    codec, unit_bytes = _UNITS[encoding]
    before = line.decode().encode(codec)[: position.character * unit_bytes]
    return Place(position.line, len(before.decode(codec, errors="ignore").encode()))


def position_of(lines: Lines, place: Place, encoding: Encoding) -> types.Position:
    """The client's position of a place; the inverse of `place_at` at character boundaries."""
    codec, unit_bytes = _UNITS[encoding]
    before = lines[place.line][: place.column].decode()
    return types.Position(place.line, len(before.encode(codec)) // unit_bytes)


def between(lines: Lines, start: Place, end: Place) -> bytes:
    """The text from `start` up to `end`; empty when they are the wrong way round."""
    if start.line == end.line:
        return lines[start.line][start.column : end.column]
    middle = b"".join(lines[start.line + 1 : end.line])
    return lines[start.line][start.column :] + middle + lines[end.line][: end.column]


def splice(lines: Lines, start: Place, end: Place, text: bytes) -> Lines:
    """The document with the text from `start` to `end` replaced; `start` must not follow `end`."""
    first, head = start.line, lines[start.line][: start.column]
    if first and not head and lines[first - 1].endswith(b"\r"):
        first -= 1  # text that begins with \n joins the \r before it into one line end
        head = lines[first]
    tail = lines[end.line][end.column :]
    last = end.line + 1
    changed = split_lines(head + text + tail)
    if last < len(lines):
        changed = changed[:-1]  # the tail brought its own line end
    return lines[:first] + changed + lines[last:]
