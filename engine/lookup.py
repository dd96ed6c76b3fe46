"""Guesses looked up in the text itself: code repeats, and a repeat need not start from noise.

The hole's surroundings are compared with those of every other line; what stands at the places most
alike is offered as a filled row of the canvas, beside the rows that start from noise, and wins only
where it is likelier to be right. In autoregressive decoding this is prompt lookup.
"""

from dataclasses import dataclass

from rapidfuzz import fuzz, process

from engine.types import Span

_REACH_LINES = 2000
_SHORTLIST = 12
_LONGEST_LINE = 400
"""Characters; comparing takes time quadratic in them, and longer lines seldom repeat."""
_ALIKE = 55.0
"""Least similarity of what is before the hole, 0 to 100."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A fill, and how similar its surroundings are to those of the hole, 0 to 1."""

    fill: str
    alike: float


@dataclass(frozen=True, slots=True)
class _Place:
    """A line, what comes before and after it, and what it would put into the hole."""

    key: str
    below: str
    fill: str


def look_up(text: bytes, hole: Span, count: int) -> list[Guess]:
    """Up to `count` different fills for a hole within one line, from the most similar place on.

    text  valid UTF-8
    """
    above = text[: hole.start].decode().split("\n")
    below = text[hole.end :].decode().split("\n")
    typed, rest = above.pop(), below.pop(0)
    if len(typed) + len(rest) > _LONGEST_LINE:
        return []
    key = f"{_last_filled(above)}\n{typed}"
    next_line = next((line for line in below if line.strip()), "")[:_LONGEST_LINE]
    near = (above[-_REACH_LINES:], below[:_REACH_LINES])
    places = [place for lines in near for place in _places(lines, typed, rest)]
    keys = [place.key for place in places]
    found = process.extract(key, keys, scorer=fuzz.ratio, limit=_SHORTLIST, score_cutoff=_ALIKE)
    guesses: dict[str, Guess] = {}
    for _, score, index in found:
        place = places[index]
        alike = (score + fuzz.ratio(next_line, place.below)) / 200
        if place.fill not in guesses or guesses[place.fill].alike < alike:
            guesses[place.fill] = Guess(place.fill, alike)
    return sorted(guesses.values(), key=lambda guess: -guess.alike)[:count]


def _last_filled(lines: list[str]) -> str:
    return next((line for line in reversed(lines) if line.strip()), "")[:_LONGEST_LINE]


def _places(lines: list[str], typed: str, rest: str) -> list[_Place]:
    """The lines that begin with what is typed and end with what follows the hole."""
    start, end = typed.lstrip(), rest.strip()
    filled = [line for line in lines if line.strip() and len(line) <= _LONGEST_LINE]
    places: list[_Place] = []
    for index in range(1, len(filled)):
        line = filled[index].strip()
        if line.startswith(start) and line.endswith(end) and len(line) > len(start) + len(end):
            indent = filled[index][: len(filled[index]) - len(filled[index].lstrip())]
            head = indent if not start else indent + start
            fill = line[len(start) : len(line) - len(end)]
            below = filled[index + 1] if index + 1 < len(filled) else ""
            places.append(_Place(f"{filled[index - 1]}\n{head}", below, fill))
    return places
