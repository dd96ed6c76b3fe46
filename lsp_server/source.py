"""Files that the command line is given: read, judged, and cut at their holes."""

from pathlib import Path

from lsp_server.positions import content, split_lines

MARKER = b"$0"


class BadInput(Exception):
    """What the user gave cannot be worked on. One sentence: what was found, what to do next."""


def read_source(path: Path) -> bytes:
    """The bytes of a text file. Raises BadInput unless it is one, in UTF-8."""
    try:
        text = path.read_bytes()
    except IsADirectoryError:
        raise BadInput(f"{path} is a folder; give a file in it.") from None
    except FileNotFoundError:
        raise BadInput(f"There is no file {path}.") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    if b"\0" in text:
        raise BadInput(f"{path} is binary (a zero byte at {text.index(0)}); give a text file.")
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path} is not UTF-8 (byte 0x{text[error.start]:02x} at {error.start}); convert it."
        ) from None
    return text


def cut_at_markers(path: Path, text: bytes) -> list[bytes]:
    """The pieces between the `$0` markers: one more than there are holes.

    Raises BadInput when there is no marker.
    """
    pieces = text.split(MARKER)
    if len(pieces) == 1:
        raise BadInput(f"{path} has no $0 in it; write $0 where the hole is, or give --at.")
    return pieces


def cut_at(path: Path, text: bytes, line: int, column: int) -> list[bytes]:
    """The pieces before and after a position; line and column count from 1, in characters.

    Raises BadInput beyond the end of the file or of the line.
    """
    lines = split_lines(text)
    if line > len(lines):
        raise BadInput(f"Line {line} is beyond the end of {path}, which has {len(lines)}.")
    before = content(lines[line - 1]).decode()
    if column > len(before) + 1:
        raise BadInput(
            f"Column {column} is beyond the end of line {line} of {path}; "
            f"the last one is {len(before) + 1}."
        )
    offset = sum(map(len, lines[: line - 1])) + len(before[: column - 1].encode())
    return [text[:offset], text[offset:]]
