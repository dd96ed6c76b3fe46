"""Brackets and their partners, in a text or among the tokens of a tree."""

import re
from collections.abc import Iterable

CLOSER = {b"(": b")", b"[": b"]", b"{": b"}"}
OPENER = {closer: opener for opener, closer in CLOSER.items()}
_BRACKET = re.compile(rb"[()\[\]{}]")

Bracket = tuple[int, bytes]
"""Where it stands, and what it is."""


def unmatched(text: bytes) -> tuple[list[Bracket], list[Bracket]]:
    """Those opened and not closed, those closed and not opened; strings are not told apart."""
    return without_partner((found.start(), found[0]) for found in _BRACKET.finditer(text))


def without_partner(brackets: Iterable[Bracket]) -> tuple[list[Bracket], list[Bracket]]:
    """As `unmatched`, of brackets in the order of the text."""
    opened: list[Bracket] = []
    stray: list[Bracket] = []
    for place, mark in brackets:
        if mark in CLOSER:
            opened.append((place, mark))
        elif opened and CLOSER[opened[-1][1]] == mark:
            opened.pop()
        else:
            stray.append((place, mark))
    return opened, stray


def closing(opened: Iterable[Bracket]) -> bytes:
    """What closes these, the innermost first."""
    return b"".join(CLOSER[mark] for _, mark in reversed(list(opened)))
