"""A parameter that was added to a definition or taken out of it, and the calls that follow it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from engine.types import Span

_DEFINITION = re.compile(r"\b(?:def|func|function|fn)\s+(\w+)\s*(?=\()")
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_RECEIVERS = ("self", "cls", "&self", "&mut self", "mut self")


@dataclass(frozen=True, slots=True)
class Signature:
    """A parameter list that changed by one.

    index  of the parameter that came or went, receivers not counted
    added  its name; "" if it went
    count  parameters before
    """

    name: str
    index: int
    added: str
    count: int


def changed_signature(old: str, new: str) -> Signature | None:
    """What one line's definition gained or lost; None where calls need no change."""
    before, after = _DEFINITION.search(old), _DEFINITION.search(new)
    if not before or not after or before[1] != after[1]:
        return None
    had, has = _parameters(old, before.end()), _parameters(new, after.end())
    if had is None or has is None or abs(len(had) - len(has)) != 1:
        return None
    fewer, more = sorted((had, has), key=len)
    index = next((i for i, one in enumerate(fewer) if one != more[i]), len(fewer))
    if more[:index] + more[index + 1 :] != fewer or "=" in more[index]:
        return None
    name = re.match(r"\W*(\w+)", more[index])
    if name is None:
        return None
    return Signature(before[1], index, name[1] if len(has) > len(had) else "", len(had))


def calls(text: str, signature: Signature) -> Iterator[tuple[int, int, str]]:
    """What to do to each call with as many arguments as there were: characters, and their stead."""
    for found in re.finditer(rf"\b{re.escape(signature.name)}\s*\(", text):
        if _DEFINITION.search(text, text.rfind("\n", 0, found.start()) + 1, found.end()):
            continue
        there = _arguments(text, found.end() - 1)
        if there is not None and len(there) == signature.count:
            yield (
                _gained(there, found.end(), signature)
                if signature.added
                else _lost(there, signature.index)
            )


def _gained(there: list[Span], opening: int, signature: Signature) -> tuple[int, int, str]:
    if not there:
        return opening, opening, signature.added
    if signature.index < len(there):
        at = there[signature.index].start
        return at, at, f"{signature.added}, "
    return there[-1].end, there[-1].end, f", {signature.added}"


def _lost(there: list[Span], index: int) -> tuple[int, int, str]:
    if index + 1 < len(there):
        return there[index].start, there[index + 1].start, ""
    if index > 0:
        return there[index - 1].end, there[index].end, ""
    return there[0].start, there[0].end, ""


def _parameters(line: str, opening: int) -> list[str] | None:
    arguments = _arguments(line, opening)
    if arguments is None:
        return None
    named = [line[one.start : one.end] for one in arguments]
    return [name for name in named if name not in _RECEIVERS]


def _arguments(text: str, opening: int) -> list[Span] | None:
    """What stands between the commas of a bracket; None if it is not closed.

    Commas in strings count as well: a call that holds one is left alone, having too many.
    """
    open_brackets: list[str] = []
    ends: list[int] = []
    for place in range(opening, min(len(text), opening + 2_000)):
        mark = text[place]
        if mark in _PAIRS:
            open_brackets.append(_PAIRS[mark])
        elif mark in _PAIRS.values():
            if open_brackets.pop() != mark:
                return None
            if not open_brackets:
                return _between(text, opening, [*ends, place])
        elif mark == "," and len(open_brackets) == 1:
            ends.append(place)
    return None


def _between(text: str, opening: int, ends: list[int]) -> list[Span]:
    """The stretches between a bracket and its commas, without the blanks around them."""
    found: list[Span] = []
    start = opening + 1
    for end in ends:
        piece = text[start:end]
        first = start + len(piece) - len(piece.lstrip())
        if piece.strip():
            found.append(Span(first, first + len(piece.strip())))
        start = end + 1
    return found
