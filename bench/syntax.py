"""What the syntax gate costs in a short, a long and a very long file."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

from bench.timing import Spread, side_by_side
from grammars import Gate, Language, language_for

LINES = (200, 2_000, 10_000)
"""A longer file is judged whole only where it is within `grammars.gate.WHOLE_FILE_BYTES`."""
_PLACES = 5
"""So few that their trees are kept, as that of the place where somebody types is."""
_WORD = re.compile(rb"    return ")


@dataclass(frozen=True, slots=True)
class Checks:
    """Times of a gate in a file of so many lines, milliseconds, at places all over it.

    key_ms     built for a text in which one more character was typed, and asked about one fill
    sound_ms   asked about a fill without fault
    faulty_ms  about one that closes a bracket too many
    whole_ms   about a sound one in the whole file
    """

    lines: int
    key_ms: Spread
    sound_ms: Spread
    faulty_ms: Spread
    whole_ms: Spread


def measure_checks(source: str, rounds: int, sizes: Sequence[int] = LINES) -> list[Checks]:
    """With the Python of `source`, repeated, and what its functions return as the holes."""
    language = language_for("python")
    if language is None:
        return []
    lines = source.split("\n")
    texts = ["\n".join((lines * (size // len(lines) + 1))[:size]).encode() for size in sizes]
    return [_checks(language, text, rounds) for text in texts]


def _checks(language: Language, text: bytes, rounds: int) -> Checks:
    places = [found.end() for found in _WORD.finditer(text)]
    holes = [_Hole(language, text, at) for at in places[:: len(places) // _PLACES + 1]]

    def everywhere(ask: Callable[[_Hole], object]) -> Callable[[], object]:
        turn = cycle(holes)
        return lambda: ask(next(turn))

    taken_ms = side_by_side(
        {
            "key": everywhere(_Hole.key),
            "sound": everywhere(lambda hole: hole.gate.faults(hole.truth)),
            "faulty": everywhere(lambda hole: hole.gate.faults(hole.truth + b")")),
            "whole": everywhere(lambda hole: hole.gate.confirm(hole.truth)),
        },
        rounds,
    )
    return Checks(text.count(b"\n") + 1, *taken_ms.values())


class _Hole:
    """The rest of a line from byte `at` on, and a gate for it that has been asked before."""

    def __init__(self, language: Language, text: bytes, at: int) -> None:
        self.truth = text[at:].partition(b"\n")[0]
        self._language, self._at = language, at
        self._typed = cycle(range(1, max(2, len(self.truth))))
        self._before, self._after = text[:at], text[at + len(self.truth) :]
        self.gate = self._gate(b"")
        self.gate.confirm(self.truth + b")")

    def _gate(self, typed: bytes) -> Gate:
        at = self._at + len(typed)
        return Gate(self._language, self._before + typed + self._after, at, at)

    def key(self) -> object:
        """Type a character, and have the rest judged."""
        count = next(self._typed)
        return self._gate(self.truth[:count]).faults(self.truth[count:])
