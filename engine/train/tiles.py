"""Cuts a file into holes: every byte belongs to one tile, and each tile is a hole once.

Tiles follow what a user's cursor leaves open: the rest of a line, a line, several lines, what is
inside a pair of brackets, a word or two, any run of characters. Edges are chosen on characters
before any token exists, because cursors stand in the middle of words.
"""

import random
import re

_KINDS = ("rest", "line", "lines", "brackets", "words", "characters")
_WEIGHTS = (30, 22, 10, 12, 13, 13)

_WORDS = re.compile(r"[ \t]*(\w+|[^\w\s]+)([ \t]*(\w+|[^\w\s]+)){0,3}")
_CLOSE = {"(": ")", "[": "]", "{": "}"}


def tile(text: str, rng: random.Random) -> list[str]:
    """Cut `text` into non-empty pieces that join to it again."""
    pieces: list[str] = []
    start = 0
    while start < len(text):
        kind = rng.choices(_KINDS, _WEIGHTS)[0]
        for end in _ends(text, start, kind, rng):
            if end > start:
                pieces.append(text[start:end])
                start = end
    return pieces


def _ends(text: str, start: int, kind: str, rng: random.Random) -> tuple[int, ...]:
    """Where the next tiles end; an end at or before the running start is no tile."""
    if kind == "rest":
        indent = re.compile(r"\n?[ \t]*").match(text, start)
        head = indent.end() if indent else start
        stop = _line_end(text, head)
        # a line is usually begun before it is completed: let its first few characters be a tile
        begun = rng.randint(head, stop) if rng.random() < 0.6 else head
        return begun, stop
    if kind == "line":
        return (_lines_end(text, start, 1),)
    if kind == "lines":
        return (_lines_end(text, start, rng.randint(2, 8)),)
    if kind == "brackets":
        return _bracket_ends(text, start)
    if kind == "words":
        words = _WORDS.match(text, start)
        return (words.end() if words else start + 1,)
    return (min(len(text), start + rng.randint(1, 60)),)


def _line_end(text: str, start: int) -> int:
    """Offset of the line break that ends the line at `start`, or the end of the text."""
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _lines_end(text: str, start: int, count: int) -> int:
    end = start
    for _ in range(count):
        end = min(len(text), _line_end(text, end) + 1)
    return end


def _bracket_ends(text: str, start: int) -> tuple[int, ...]:
    """Up to the next opening bracket of this line, then what that bracket encloses."""
    stop = _line_end(text, start)
    opened = next((i for i in range(start, stop) if text[i] in _CLOSE), None)
    if opened is None:
        return (_lines_end(text, start, 1),)
    depth = 0
    for i in range(opened, min(len(text), opened + 400)):
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if depth == 0:
            return opened + 1, i
    return (opened + 1,)
