"""Guesses looked up in the text itself and in its workspace: code repeats.

Wherever the longest piece of what is before the hole stands once more, the rest of the line is a
guess, and so are the lines from there to where the text goes on as it does below the hole. A guess
is offered as a filled row of the canvas, beside the rows that start from noise, and wins only where
it is likelier to be right.

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
from typing import NamedTuple

from rapidfuzz import fuzz

from engine.analogy import carried_over, exchanges
from engine.outline import FILE_END, laid_out
from engine.shelves import LEAST_BYTES, REACH_BYTES, Match, Page, Shelf
from engine.types import Span
from grammars import common_prefix, unmatched

_AFTER_BYTES = 200
_BLOCK_BYTES = 1_000
"""Of the lines that are looked through for where a text goes on as below the hole."""
_NEAR_BYTES = 2_000
"""On either side of a hole: the words that stand there are likely to stand in it."""
_SHORTLIST = 40
_LONGEST_LINE = 400
"""Bytes; comparing takes time quadratic in them, and longer lines seldom repeat."""
_CARRIED = 6
"""Of the best places the fill is carried over to the hole."""
_LEAST_CHANCE = 1e-9
_CLOSERS = (b")", b"]", b"}", b'"', b"'", b"`")
_WORD = re.compile(rb"[^\W\d]\w*")
_IMPORT = re.compile(rb"(?:#[ \t]*include|import|from|use|using)\b")

Features = tuple[float, ...]


class Weights(NamedTuple):
    """Nats, in the order of `_of_place`, `_of_fill`, `of_none`."""

    place: Features
    fill: Features
    none: Features


WITHIN_A_LINE = Weights(
    place=(0.963, 0.422, 2.668, 2.376, 0.881, 0.27, -1.029),
    fill=(-0.999, 1.329, -3.195, 1.075, 0.0),
    none=(4.4, 1.416, 0.89, 0.813),
)
SEVERAL_LINES = Weights(
    place=(0.49, 0.699, 2.575, 2.991, -0.097, 0.427, -1.217),
    fill=(-1.022, 3.11, -2.435, 1.121, -1.178),
    none=(4.149, 4.149, 0.371, 0.653),
)
"""Where a fill may have several, though one may be right."""


IN_BRACKETS = Weights(
    place=(0.659, 0.289, 1.825, 1.625, 0.603, 0.185, -0.704),
    fill=(-0.683, 0.909, -2.185, 0.735, 0.0),
    none=(3.04, 0.0, 1.02, 0.92),
)
"""Where the line goes on behind the hole, which mostly is with what closes it. Those within a line,
times 0.684, which puts the right fill first more often than weights of their own do (32.6 and 31.6
% of 2,554 holes), and what is fitted to that for none of them."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A fill, and the log-odds (nats) that it is right, by where it stands alone."""

    fill: str
    odds: float

    @property
    def chance(self) -> float:
        """The same as a probability."""
        return 1 / (1 + math.exp(-self.odds))


def look_up(
    text: bytes, hole: Span, count: int, elsewhere: Iterable[Shelf] = (), max_lines: int = 1
) -> list[Guess]:
    """Up to `count` different fills for a hole, the likeliest first.

    text       valid UTF-8
    elsewhere  other texts to look in
    """
    site, shelves = Site.of(text, hole, max_lines), tuple(elsewhere)
    if site is None or count < 1:
        return []
    found = evidence(site, shelves)
    none = _weighed(site.weights.none, of_none(site, len(found), is_alone=not shelves))
    odds = log_odds({fill: _score(one, site.weights) for fill, one in found.items()}, none)
    best = sorted(found, key=lambda fill: -odds[fill])[:count]
    return [Guess(fill.decode(errors="ignore"), odds[fill]) for fill in best]


@dataclass(frozen=True)
class Site:
    """The surroundings of a hole.

    page         the lines above its own, and those below
    typed, rest  what is before it and behind it on its line
    indent       of its line
    max_lines    that a fill may have
    """

    page: Page
    typed: bytes
    rest: bytes
    indent: bytes
    max_lines: int

    @classmethod
    def of(cls, text: bytes, hole: Span, max_lines: int = 1) -> "Site | None":
        """None on a line that is too long to be compared with others."""
        above, _, typed = text[: hole.start].rpartition(b"\n")
        rest, _, below = text[hole.end :].partition(b"\n")
        if len(typed) + len(rest) > _LONGEST_LINE:
            return None
        return cls(
            Page.of(above, below),
            typed=typed.lstrip(),
            rest=rest.strip(),
            indent=typed[: len(typed) - len(typed.lstrip())],
            max_lines=max_lines,
        )

    @property
    def weights(self) -> Weights:
        """Of what speaks for a fill."""
        if self.rest:
            return IN_BRACKETS
        return WITHIN_A_LINE if self.max_lines == 1 else SEVERAL_LINES

    @property
    def above(self) -> bytes:
        """The outline of the lines above the hole's own."""
        return self.page.outlines[0]

    @property
    def below(self) -> bytes:
        """The outline of those below."""
        return self.page.outlines[1]

    @cached_property
    def key(self) -> bytes:
        """What is before the hole."""
        return self.above + b"\n" + self.typed

    @cached_property
    def line_break(self) -> bytes:
        """As the text has it."""
        return b"\r\n" if any(b"\r\n" in source for source in self.page.sources) else b"\n"

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


class Evidence(NamedTuple):
    """What speaks for a fill: something about each place where it was found, and about itself."""

    places: list[Features]
    fill: Features


def evidence(site: Site, elsewhere: Iterable[Shelf]) -> dict[bytes, Evidence]:
    """The fills of the places nearest to a site, in its own text and elsewhere."""
    places = [*_places(site, (site.page,), is_own=True), *_places(site, elsewhere, is_own=False)]
    places.sort(key=lambda place: -_weighed(site.weights.place, place.features))
    best = (one for place in places[:_CARRIED] for one in _carried(site, place))
    found: dict[bytes, list[Features]] = defaultdict(list)
    for place in (*best, *places[_CARRIED:]):
        if not _imports_again(site, place.fill):
            found[place.fill].append(place.features)
    return {
        fill: Evidence(places, _of_fill(site, fill, len(places))) for fill, places in found.items()
    }


def _imports_again(site: Site, fill: bytes) -> bool:
    """Does a fill make its line, which is not indented, an import that the text has already?"""
    line = site.typed + fill + site.rest
    if site.indent or not _IMPORT.match(line):
        return False
    return b"\n%b\n" % line in b"\n%b\n" % site.page.text


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
        before = shelf.text[max(0, match.end - REACH_BYTES) : match.end]
        for fill, end in _fills(site, shelf, match.end):
            after = shelf.text[end : end + _AFTER_BYTES]
            features = _of_place(site, match.shared, before, after, is_own=is_own)
            yield Place(fill, before, after, features)


def _fills(site: Site, shelf: Shelf, start: int) -> Iterator[tuple[bytes, int]]:
    """What stands from a place to the end of its line, what up to where the text below the hole is.

    Each with the start of the line behind it.
    """
    line_end = _line_end(shelf.text, start)
    line = shelf.text[start:line_end]
    if fill := _up_to_rest(line, site.rest):
        yield fill, line_end + 1
    if lines := _lines_between(shelf.text, line_end + 1, site):
        number = shelf.text.count(b"\n", 0, start)
        kept = shelf.margins[number : number + len(lines) + 1]
        fill = line + laid_out(lines, kept, site.indent, site.line_break)
        yield fill, line_end + 1 + sum(len(line) + 1 for line in lines)


def _lines_between(text: bytes, start: int, site: Site) -> list[bytes]:
    """The lines from a place up to one from where on the most is as it is below the hole."""
    if site.max_lines == 1 or site.rest or not site.next_line:
        return []
    reach = text[start : start + _BLOCK_BYTES].partition(FILE_END)[0]
    lines = reach.split(b"\n")
    most, best, at = 0, 0, 0
    for count, line in enumerate(lines[: site.max_lines]):
        if count and line == site.next_line:
            followed = common_prefix(reach[at : at + _AFTER_BYTES], site.below)
            most, best = max((most, best), (followed, count), key=lambda pair: pair[0])
        at += len(line) + 1
    return lines[:best]


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
    return islice(takewhile(lambda pair: pair[1].shared >= LEAST_BYTES, nearest), _SHORTLIST)


def _up_to_rest(line: bytes, rest: bytes) -> bytes:
    """A line up to where it goes on as `rest` does, for longest; nothing if it nowhere does.

    An editor closes a bracket or a quote when it is opened, so the rest is often that alone.
    """
    if FILE_END in line or len(line) > _LONGEST_LINE:
        return b""
    if not rest:
        return line
    shared = {
        end: common_prefix(line[end:], rest) for end, byte in enumerate(line) if byte == rest[0]
    }
    most = max(shared.values(), default=0)
    fills = (line[:end] for end, count in shared.items() if count == most)
    if rest[:1] in _CLOSERS:
        fills = (fill for fill in fills if not any(unmatched(fill)))
    return next(fills, b"")


def _score(found: Evidence, weights: Weights) -> float:
    """Of the best place, and of the fill itself."""
    best = max(_weighed(weights.place, place) for place in found.places)
    return best + _weighed(weights.fill, found.fill)


def _weighed(weights: Features, features: Features) -> float:
    return sum(weight * feature for weight, feature in zip(weights, features, strict=True))


def _of_place(site: Site, shared: int, before: bytes, after: bytes, *, is_own: bool) -> Features:
    """What is the same before it and behind its fill, how alike the lines are, whose text it is.

    The last two say whether its fill is carried over, and whether it should have been: `_carried`.
    """
    return (
        math.log1p(shared),
        math.log1p(common_prefix(after, site.below)),
        fuzz.ratio(_last_lines(before, 2), site.last_line) / 100,
        fuzz.ratio(_first_line(after), site.next_line) / 100,
        float(is_own),
        0.0,
        0.0,
    )


def _of_fill(site: Site, fill: bytes, places: int) -> Features:
    """How long it is, how many of its words stand near, does it double a line, how often it is.

    The last says whether it is of several lines.
    """
    words = _WORD.findall(fill)
    line = site.typed + fill + site.rest
    return (
        math.log1p(len(fill)),
        sum(word in site.words for word in words) / max(1, len(words)),
        float(line in (site.above.rpartition(b"\n")[2], _first_line(site.below))),
        math.log1p(places),
        float(b"\n" in fill),
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
