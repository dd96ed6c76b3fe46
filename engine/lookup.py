"""Guesses looked up in the text itself and in its workspace: code repeats.

Wherever the longest piece of what is before the hole stands once more, the rest of the line is a
guess. It is offered as a filled row of the canvas, beside the rows that start from noise, and wins
only where it is likelier to be right.

Sources: prompt lookup, as autoregressive decoding knows it; the longest match of a context in a
large text as a language model, arXiv:2401.17377.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice, repeat, takewhile
from typing import NamedTuple, Protocol

from rapidfuzz import fuzz

from engine.types import Span

REACH_BYTES = 400
"""How far before the end of a match it may begin."""
FILE_END = b"\0"
"""A line between two texts, so that nothing matches across them. No line of code is this."""

_AFTER_BYTES = 200
_SHORTLIST = 40
_LEAST_BYTES = 2
_LONGEST_LINE = 400
"""Bytes; comparing takes time quadratic in them, and longer lines seldom repeat."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A fill, and the log-odds (nats) that it is right, by its surroundings alone."""

    fill: str
    odds: float


class Match(NamedTuple):
    """A place in a text, and how many bytes before it are the same as before the hole."""

    shared: int
    end: int


class Shelf(Protocol):
    """Texts to look things up in, as `outline` writes them, one line FILE_END between two."""

    @property
    def text(self) -> bytes: ...

    def matches(self, key: bytes) -> Iterator[Match]:
        """Where the text repeats the key's end, the longest repeats first."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """A text that is read once, and so without an index."""

    text: bytes

    def matches(self, key: bytes) -> Iterator[Match]:
        """As a Shelf has them."""
        key = key[-REACH_BYTES:]
        seen: set[int] = set()
        size = _longest(lambda size: key[-size:] in self.text, len(key))
        while size >= _LEAST_BYTES:
            ends = {at + size for at in _occurrences(self.text, key[-size:])} - seen
            yield from sorted(
                (Match(shared(self.text, end, key), end) for end in ends), reverse=True
            )
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


def outline(text: bytes) -> bytes:
    """A text without indentation and blank lines: what is compared."""
    return b"\n".join(filter(None, map(bytes.strip, text.split(b"\n"))))


def look_up(text: bytes, hole: Span, count: int, elsewhere: Iterable[Shelf] = ()) -> list[Guess]:
    """Up to `count` different fills for a hole within one line, the likeliest first.

    text       valid UTF-8
    elsewhere  other texts to look in
    """
    above, _, typed = text[: hole.start].rpartition(b"\n")
    rest, _, below = text[hole.end :].partition(b"\n")
    if len(typed) + len(rest) > _LONGEST_LINE:
        return []
    site = _Site(outline(above) + b"\n" + typed.lstrip(), rest.strip(), outline(below))
    own = Page(b"\n".join((outline(above), FILE_END, site.below)))
    best: dict[bytes, float] = {}
    for shelves in ((own,), elsewhere):
        for shelf, match in _nearest(shelves, site.key):
            fill = _fill(shelf.text, match.end, site.rest)
            if fill:
                best[fill] = max(best.get(fill, -math.inf), _odds(site, shelf.text, match))
    guesses = [Guess(fill.decode(errors="ignore"), odds) for fill, odds in best.items()]
    return sorted(guesses, key=lambda guess: -guess.odds)[:count]


def _nearest(shelves: Iterable[Shelf], key: bytes) -> Iterator[tuple[Shelf, Match]]:
    """The places that share most with the key, and what they are in."""
    found = (zip(repeat(shelf), shelf.matches(key), strict=False) for shelf in shelves)
    nearest = merge(*found, key=lambda pair: -pair[1].shared)
    return islice(takewhile(lambda pair: pair[1].shared >= _LEAST_BYTES, nearest), _SHORTLIST)


@dataclass(frozen=True, slots=True)
class _Site:
    """What is before the hole, on its line behind it, and below that line."""

    key: bytes
    rest: bytes
    below: bytes


def _fill(text: bytes, start: int, rest: bytes) -> bytes:
    """What stands from a place to the end of its line, `rest` left out; nothing if that differs."""
    line = text[start : _line_end(text, start)]
    fits = line.endswith(rest) and FILE_END not in line and len(line) <= _LONGEST_LINE
    return line[: len(line) - len(rest)] if fits else b""


def _odds(site: _Site, text: bytes, match: Match) -> float:
    """How likely a place's fill is the hole's, by how far the places agree both ways.

    Logistic, fitted to the places found for 500 rest-of-line and 500 whole-line holes of 24
    repositories (2026-11-22). Natural logarithm of the odds.
    """
    line_end = _line_end(text, match.end)
    before = text[max(0, match.end - REACH_BYTES) : match.end]
    after = text[line_end + 1 : line_end + 1 + _AFTER_BYTES]
    reach = min(len(after), len(site.below))
    followed = _longest(lambda size: after.startswith(site.below[:size]), reach)
    alike = (
        fuzz.ratio(_last_lines(before), _last_lines(site.key[-REACH_BYTES:]))
        + fuzz.ratio(_first_line(after), _first_line(site.below[:_AFTER_BYTES]))
    ) / 200
    return -10.0 + 1.13 * math.log1p(match.shared) + 0.76 * math.log1p(followed) + 2.1 * alike


def _first_line(text: bytes) -> bytes:
    return text.partition(b"\n")[0]


def _last_lines(text: bytes) -> bytes:
    """The last line, complete or not, and the one before it."""
    return text[text.rfind(b"\n", 0, max(0, text.rfind(b"\n"))) + 1 :]


def _line_end(text: bytes, start: int) -> int:
    end = text.find(b"\n", start)
    return len(text) if end < 0 else end


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
