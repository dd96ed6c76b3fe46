"""Guesses looked up in the text itself and in its workspace: code repeats.

Wherever the longest piece of what is before the hole stands once more, the rest of the line is a
guess. It is offered as a filled row of the canvas, beside the rows that start from noise, and wins
only where it is likelier to be right.

How likely that is, is a choice: one of the fills that were found is right, or none of them is. Each
has a score, a weighed sum of what speaks for it, and so has "none"; their softmax is the chances (a
conditional logit). `tests/bench/lookup_weights.py` fits the weights.

Sources: prompt lookup, as autoregressive decoding knows it; the longest match of a context in a
large text as a language model, arXiv:2401.17377.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from heapq import merge
from itertools import islice, repeat, takewhile
from typing import NamedTuple, Protocol

from rapidfuzz import fuzz

from engine.analogy import carried_over, exchanges
from engine.types import Span

REACH_BYTES = 400
"""How far before the end of a match it may begin."""
FILE_END = b"\0"
"""A line between two texts, so that nothing matches across them. No line of code is this."""

_AFTER_BYTES = 200
_NEAR_BYTES = 2_000
"""On either side of a hole: the words that stand there are likely to stand in it."""
_SHORTLIST = 40
_LEAST_BYTES = 2
_LONGEST_LINE = 400
"""Bytes; comparing takes time quadratic in them, and longer lines seldom repeat."""
_CARRIED = 6
"""Of the best places the fill is carried over to the hole."""
_LEAST_CHANCE = 1e-9
_WORD = re.compile(rb"[^\W\d]\w*")

Features = tuple[float, ...]

PLACE_WEIGHTS: Features = (0.963, 0.422, 2.668, 2.376, 0.881, 0.27, -1.029)
FILL_WEIGHTS: Features = (-0.999, 1.329, -3.195, 1.075)
NONE_WEIGHTS: Features = (4.4, 1.416, 0.89, 0.813)
"""Nats, in the order of `_of_place`, `_of_fill`, `of_none`."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A fill, and the log-odds (nats) that it is right, by where it stands alone."""

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
    site, shelves = Site.of(text, hole), tuple(elsewhere)
    if site is None or count < 1:
        return []
    found = evidence(site, shelves)
    none = _weighed(NONE_WEIGHTS, of_none(site, len(found), is_alone=not shelves))
    odds = log_odds({fill: _score(one) for fill, one in found.items()}, none)
    best = sorted(found, key=lambda fill: -odds[fill])[:count]
    return [Guess(fill.decode(errors="ignore"), odds[fill]) for fill in best]


@dataclass(frozen=True)
class Site:
    """The surroundings of a hole, outlined.

    key    what is before it
    rest   what is behind it on its line
    below  what is below that line
    """

    key: bytes
    rest: bytes
    below: bytes

    @classmethod
    def of(cls, text: bytes, hole: Span) -> "Site | None":
        """None on a line that is too long to be compared with others."""
        above, _, typed = text[: hole.start].rpartition(b"\n")
        rest, _, below = text[hole.end :].partition(b"\n")
        if len(typed) + len(rest) > _LONGEST_LINE:
            return None
        return cls(outline(above) + b"\n" + typed.lstrip(), rest.strip(), outline(below))

    @cached_property
    def above(self) -> bytes:
        """What is above the hole's line."""
        return self.key.rpartition(b"\n")[0]

    @cached_property
    def typed(self) -> bytes:
        """What is before the hole on its line."""
        return self.key.rpartition(b"\n")[2]

    @cached_property
    def last_line(self) -> bytes:
        """The line above, and what is typed."""
        return _last_lines(self.key[-REACH_BYTES:], 2)

    @cached_property
    def next_line(self) -> bytes:
        """The line below."""
        return _first_line(self.below[:_AFTER_BYTES])

    @cached_property
    def words(self) -> frozenset[bytes]:
        """Those near the hole."""
        return frozenset(
            _WORD.findall(self.key[-_NEAR_BYTES:]) + _WORD.findall(self.below[:_NEAR_BYTES])
        )


class Place(NamedTuple):
    """A fill, the text before it and behind its line, and what speaks for it there."""

    fill: bytes
    before: bytes
    after: bytes
    features: Features

    @property
    def score(self) -> float:
        """Nats."""
        return _weighed(PLACE_WEIGHTS, self.features)


class Evidence(NamedTuple):
    """What speaks for a fill: something about each place where it was found, and about itself."""

    places: list[Features]
    fill: Features


def evidence(site: Site, elsewhere: Iterable[Shelf]) -> dict[bytes, Evidence]:
    """The fills of the places nearest to a site, in its own text and elsewhere."""
    own = Page(b"\n".join((site.above, FILE_END, site.below)))
    places = [*_places(site, (own,), is_own=True), *_places(site, elsewhere, is_own=False)]
    places.sort(key=lambda place: -place.score)
    best = (one for place in places[:_CARRIED] for one in _carried(site, place))
    found: dict[bytes, list[Features]] = defaultdict(list)
    for place in (*best, *places[_CARRIED:]):
        found[place.fill].append(place.features)
    return {
        fill: Evidence(places, _of_fill(site, fill, len(places))) for fill, places in found.items()
    }


def log_odds(scores: Mapping[bytes, float], none: float) -> dict[bytes, float]:
    """Log-odds, nats, of each choice against all others and none."""
    most = max([none, *scores.values()])
    weights = {fill: math.exp(score - most) for fill, score in scores.items()}
    total = math.exp(none - most) + sum(weights.values())
    return {
        fill: math.log(weight) - math.log(max(total - weight, _LEAST_CHANCE * total))
        for fill, weight in weights.items()
    }


def _places(site: Site, shelves: Iterable[Shelf], *, is_own: bool) -> Iterator[Place]:
    for shelf, match in _nearest(shelves, site.key):
        if fill := _fill(shelf.text, match.end, site.rest):
            line_end = _line_end(shelf.text, match.end)
            before = shelf.text[max(0, match.end - REACH_BYTES) : match.end]
            after = shelf.text[line_end + 1 : line_end + 1 + _AFTER_BYTES]
            features = _of_place(site, match.shared, before, after, is_own=is_own)
            yield Place(fill, before, after, features)


def _carried(site: Site, place: Place) -> list[Place]:
    """The place, and if its fill is another one when it is carried over to the hole, that too."""
    above = exchanges(_last_lines(place.before, 3), _last_lines(site.key[-REACH_BYTES:], 3))
    below = exchanges(_first_line(place.after), site.next_line)
    fill = carried_over(place.fill, below | above)
    if fill == place.fill:
        return [place]
    *common, _, _ = place.features
    return [
        place._replace(fill=fill, features=(*common, 1.0, 0.0)),
        place._replace(features=(*common, 0.0, 1.0)),
    ]


def _nearest(shelves: Iterable[Shelf], key: bytes) -> Iterator[tuple[Shelf, Match]]:
    """The places that share most with the key, and what they are in."""
    found = (zip(repeat(shelf), shelf.matches(key), strict=False) for shelf in shelves)
    nearest = merge(*found, key=lambda pair: -pair[1].shared)
    return islice(takewhile(lambda pair: pair[1].shared >= _LEAST_BYTES, nearest), _SHORTLIST)


def _fill(text: bytes, start: int, rest: bytes) -> bytes:
    """What stands from a place to the end of its line, `rest` left out; nothing if that differs."""
    line = text[start : _line_end(text, start)]
    fits = line.endswith(rest) and FILE_END not in line and len(line) <= _LONGEST_LINE
    return line[: len(line) - len(rest)] if fits else b""


def _score(found: Evidence) -> float:
    """Of the best place, and of the fill itself."""
    best = max(_weighed(PLACE_WEIGHTS, place) for place in found.places)
    return best + _weighed(FILL_WEIGHTS, found.fill)


def _weighed(weights: Features, features: Features) -> float:
    return sum(weight * feature for weight, feature in zip(weights, features, strict=True))


def _of_place(site: Site, shared: int, before: bytes, after: bytes, *, is_own: bool) -> Features:
    """What is the same before it and behind its line, how alike the lines are, whose text it is.

    The last two say whether its fill is carried over, and whether it should have been: `_carried`.
    """
    reach = min(len(after), len(site.below))
    followed = _longest(lambda size: after.startswith(site.below[:size]), reach)
    return (
        math.log1p(shared),
        math.log1p(followed),
        fuzz.ratio(_last_lines(before, 2), site.last_line) / 100,
        fuzz.ratio(_first_line(after), site.next_line) / 100,
        float(is_own),
        0.0,
        0.0,
    )


def _of_fill(site: Site, fill: bytes, places: int) -> Features:
    """How long it is, how many of its words stand near, does it double a line, how often it is."""
    words = _WORD.findall(fill)
    line = site.typed + fill + site.rest
    return (
        math.log1p(len(fill)),
        sum(word in site.words for word in words) / max(1, len(words)),
        float(line in (site.above.rpartition(b"\n")[2], _first_line(site.below))),
        math.log1p(places),
    )


def of_none(site: Site, fills: int, *, is_alone: bool) -> Features:
    """For none of the fills: always something, does a line begin here, how many fills there are.

    The last says whether no other text was looked in.
    """
    return 1.0, float(not site.typed), math.log1p(fills), float(is_alone)


def _first_line(text: bytes) -> bytes:
    """Nothing where there is no more of the text."""
    line = text.partition(b"\n")[0]
    return b"" if line == FILE_END else line


def _last_lines(text: bytes, count: int) -> bytes:
    """The last line, complete or not, and those before it."""
    return b"\n".join(text.split(b"\n")[-count:])


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
