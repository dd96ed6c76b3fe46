"""Texts to look things up in, and where they repeat what is before a hole."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from engine.outline import joined, joined_margins, margins, outline

REACH_BYTES = 400
"""How far before the end of a match it may begin."""
LEAST_BYTES = 2
"""Of a match."""


class Match(NamedTuple):
    """A place in a text, and how many bytes before it are the same as before the hole."""

    shared: int
    end: int


class Shelf(Protocol):
    """Texts to look things up in: outlines, one line FILE_END between two."""

    @property
    def text(self) -> bytes: ...

    @property
    def margins(self) -> bytes:
        """Of each of its lines."""
        ...

    def matches(self, key: bytes) -> Iterator[Match]:
        """Where the text repeats the key's end, the longest repeats first."""
        ...


@dataclass(frozen=True)
class Page:
    """Texts that are read once, and so without an index.

    sources  as they are
    text     their outlines, joined
    """

    sources: tuple[bytes, ...]
    outlines: tuple[bytes, ...]
    text: bytes

    @classmethod
    def of(cls, *sources: bytes) -> "Page":
        """A page of these texts."""
        outlines = tuple(map(outline, sources))
        return cls(sources, outlines, joined(outlines))

    @property
    def margins(self) -> bytes:
        """As a Shelf has them."""
        return self._margins

    @cached_property
    def _margins(self) -> bytes:
        return joined_margins(map(margins, self.sources))

    def matches(self, key: bytes) -> Iterator[Match]:
        """As a Shelf has them."""
        return matches(self.text, key)


def matches(text: bytes, key: bytes) -> Iterator[Match]:
    """Where a text without an index repeats the key's end, the longest repeats first."""
    key = key[-REACH_BYTES:]
    seen: set[int] = set()
    size = _longest(lambda size: key[-size:] in text, len(key))
    while size >= LEAST_BYTES:
        ends = {at + size for at in _occurrences(text, key[-size:])} - seen
        yield from sorted((Match(shared(text, end, key), end) for end in ends), reverse=True)
        seen |= ends
        size = min(size - 1, size * 4 // 5)


def _occurrences(text: bytes, piece: bytes) -> Iterator[int]:
    at = text.find(piece)
    while at >= 0:
        yield at
        at = text.find(piece, at + 1)


def shared(text: bytes, end: int, key: bytes) -> int:
    """How many bytes before `end` are also the last of the key, as far as either goes."""
    before = text[max(0, end - len(key)) : end]
    return _longest(lambda size: before.endswith(key[-size:]), len(before))


class _Holds(Protocol):
    def __call__(self, size: int, /) -> bool: ...


def _longest(holds: _Holds, most: int) -> int:
    """The greatest size up to `most` for which it holds; it holds for all smaller ones."""
    least = 0
    while least < most:
        middle = (least + most + 1) // 2
        if holds(middle):
            least = middle
        else:
            most = middle - 1
    return least
