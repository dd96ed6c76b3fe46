"""What rows of a canvas begin with that do not begin as noise.

Fills that were looked up, or texts that the request demands, with masked slots around them.
"""

from collections.abc import Iterable
from typing import NamedTuple

from engine.families.model import Traits
from engine.lookup import Guess, look_up
from engine.shelves import Shelf
from engine.tokenizer import MASK
from engine.types import InfillRequest

_ROOM = 4
"""Slots left open on a side of a text that must appear."""
_FURTHER = 6
"""Fills that are found besides those that get rows."""
_EVEN_ODDS = 0.0
"""Log-odds of a fill that is right as often as not."""


class Seed(NamedTuple):
    """A row's tokens, MASK where nothing is known, and the log-odds that they are the fill.

    odds  by the surroundings of the place where it was found; None where the texts are demanded
    """

    tokens: list[int]
    odds: float | None

    @property
    def is_likely(self) -> bool:
        """Is it right more often than not, as far as that is known?"""
        return self.odds is not None and self.odds > _EVEN_ODDS


class Seeds(NamedTuple):
    """Those of a request, likeliest first, and fills that were found but are too many for rows."""

    rows: list[Seed]
    further: list[Guess]


def seeds_for(
    request: InfillRequest, traits: Traits, count: int, elsewhere: Iterable[Shelf]
) -> Seeds:
    """What is demanded, or else up to `count` fills from the text and elsewhere.

    None of them longer than a fill and a canvas may be, nor of another length than is given.
    """
    if request.constraint and request.constraint.must:
        return Seeds(_demanded(request.constraint.must, request.length_tokens, traits), [])
    most = count + _FURTHER if count else 0
    found = look_up(request.text, request.hole, most, elsewhere, request.max_lines)
    seeds = [
        Seed(traits.tokenizer.encode(guess.fill.encode()), guess.odds) for guess in found[:count]
    ]
    return Seeds([seed for seed in seeds if _fits(seed, request, traits)], found[count:])


def _fits(seed: Seed, request: InfillRequest, traits: Traits) -> bool:
    given, most = request.length_tokens, min(room(request, traits), _longest(seed, traits))
    return len(seed.tokens) <= most and given in (None, len(seed.tokens))


def room(request: InfillRequest, traits: Traits) -> int:
    """Tokens that the fill may have."""
    return min(traits.fill_tokens, request.max_tokens or traits.fill_tokens)


def _longest(seed: Seed, traits: Traits) -> int:
    """Tokens. The largest canvas is for likely fills, beside which there is no noise."""
    larger, *_, largest = traits.slots[-2:]
    return (largest if seed.is_likely else larger) - 1


def _demanded(must: tuple[bytes, ...], length: int | None, traits: Traits) -> list[Seed]:
    """Rows that hold the demanded texts, with room between, before and behind them."""
    texts = [traits.tokenizer.encode(text) for text in must]
    between = [token for text in texts for token in (MASK, *text)][1:]
    rooms = (0, _ROOM, 2 * _ROOM) if length is None else (max(length - len(between), 0),)
    around = [(before, open_ - before) for open_ in rooms for before in {0, open_ // 2, open_}]
    rows = [[MASK] * before + between + [MASK] * behind for before, behind in sorted(around)]
    most = traits.slots[-1]
    return [Seed(row, None) for row in rows if len(row) < most and length in (None, len(row))]
