"""Mending a finished canvas without a forward pass.

The denoiser leaves more than its answer: the tokens it nearly chose at every place. Where the
answer has a fault, the fix is usually among those, so we climb: exchange or delete one token near
the fault, ask the gate, keep the best, and again. What climbing cannot mend, `blame` names for
remasking.

Here is no tensor and no grammar: lists, and a judge that says where the faults are.
"""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from grammars import Fault, unmatched

ROUNDS = 3
MOVES = 16
"""Tried in a round: counted, not timed, so that a busy machine writes the same text."""
ALTERNATIVES = 6
DELETION_NATS = 4.0
"""Deleting costs what a token of this surprise would."""
BLAME_PLACES = 2

Detokenize = Callable[[Sequence[int]], bytes]
"""Tokens to the text of the hole; one token more never changes what stands before it."""

Path = list[int | None]
"""A token for each place of a lattice; None where it was deleted."""


class Judge(Protocol):
    """What climbing asks of a `grammars.Gate`."""

    def faults(self, fill: bytes) -> tuple[Fault, ...]:
        """Faults that `fill` adds, at offsets into it; () means sound."""
        ...


@dataclass(frozen=True, slots=True)
class Lattice:
    """What the denoiser thought of each place of a finished canvas.

    tokens      the chosen token of each place
    candidates  (token, log-probability in nats) of each place, best first; may hold the chosen one
    frozen      places that must not change
    """

    tokens: list[int]
    candidates: list[list[tuple[int, float]]]
    frozen: set[int]

    def __post_init__(self) -> None:
        if len(self.tokens) != len(self.candidates):
            raise ValueError(f"{len(self.tokens)} tokens, {len(self.candidates)} candidate lists")


@dataclass(frozen=True, slots=True)
class Mended:
    """The outcome of a climb; not `sound` where faults remain, and then the best that was met."""

    tokens: list[int]
    text: bytes
    sound: bool


def climb(
    lattice: Lattice, gate: Judge, detokenize: Detokenize, deadline: float, moves: int = MOVES
) -> Mended:
    """Exchange or delete tokens, a few, until the gate finds no fault.

    deadline  seconds of `time.monotonic`; past it no further move is tried
    moves     tried for each change

    At most ROUNDS changes, each the best of those tried, cheapest first: a move costs the
    log-probability it loses and its distance from the first fault, in places.
    """
    search = _Search(lattice, gate, detokenize)
    path: Path = list(lattice.tokens)
    faults = search.faults(path)
    for _ in range(ROUNDS):
        if not faults:
            break
        better = search.best_move(path, faults, moves, deadline)
        if better is None:
            break
        path, faults = better
    tokens = [token for token in path if token is not None]
    return Mended(tokens, detokenize(tokens), not faults)


def blame(lattice: Lattice, gate: Judge, detokenize: Detokenize) -> set[int]:
    """The places to remask: two on either side of the first fault, and unmatched brackets.

    Empty if the canvas is sound; never a frozen place.
    """
    search = _Search(lattice, gate, detokenize)
    path: Path = list(lattice.tokens)
    faults = search.faults(path)
    if not faults:
        return set()
    distances = search.distances(path, faults[0])
    return {place for place, far in enumerate(distances) if far <= BLAME_PLACES} - lattice.frozen


@dataclass(frozen=True, slots=True)
class _Search:
    """One lattice in front of one gate."""

    lattice: Lattice
    gate: Judge
    detokenize: Detokenize

    def faults(self, path: Path) -> tuple[Fault, ...]:
        """The gate's; a text of which nothing is to be seen has one, as it is no suggestion."""
        text = self._text(path)
        return self.gate.faults(text) if text.strip() else (Fault(0, len(text), "blank"),)

    def _text(self, path: Path) -> bytes:
        return self.detokenize([token for token in path if token is not None])

    def best_move(
        self, path: Path, faults: tuple[Fault, ...], most: int, deadline: float
    ) -> tuple[Path, tuple[Fault, ...]] | None:
        """The first of `most` that leaves no fault, else the best; None if none is better."""
        best: tuple[Path, tuple[Fault, ...]] | None = None
        least = _size(faults)
        moves = self._moves(path, self.distances(path, faults[0]))
        for _, place, token in sorted(moves, key=lambda move: move[0])[:most]:
            if time.monotonic() >= deadline:
                break
            trial = [*path[:place], token, *path[place + 1 :]]
            found = self.faults(trial)
            if not found:
                return trial, found
            if _size(found) < least:
                best, least = (trial, found), _size(found)
        return best

    def _moves(self, path: Path, distances: list[int]) -> Iterator[tuple[float, int, int | None]]:
        """(cost, place, new token or None to delete) of every allowed move."""
        for place, chosen in enumerate(path):
            if chosen is None or place in self.lattice.frozen:
                continue
            candidates = self.lattice.candidates[place][:ALTERNATIVES]
            kept_nats = dict(candidates).get(chosen, -DELETION_NATS)
            for token, nats in candidates:
                if token != chosen:
                    yield kept_nats - nats + distances[place], place, token
            yield kept_nats + DELETION_NATS + distances[place], place, None

    def distances(self, path: Path, fault: Fault) -> list[int]:
        """Of each place from the fault, in places; unmatched brackets count as part of it."""
        before, *heads = [self._text(path[:count]) for count in range(len(path) + 1)]
        ends = [len(head) for head in heads]
        near = _places(ends, fault)
        distances = [max(near.start - p, p - near.stop + 1, 0) for p in range(len(path))]
        for at, _ in chain(*unmatched(heads[-1] if heads else b"")):
            if at >= len(before):
                distances[bisect_right(ends, at)] = 0
        return distances


def _places(ends: list[int], fault: Fault) -> range:
    """The places whose bytes the fault shares, of places that end at these bytes.

    The last place that has bytes if the fault lies behind them all.
    """
    last = bisect_left(ends, ends[-1]) if ends else 0
    first = min(bisect_right(ends, fault.start), last)
    return range(first, max(first, min(bisect_left(ends, fault.end), last)) + 1)


def _size(faults: tuple[Fault, ...]) -> tuple[int, int]:
    """How bad: bytes at fault, then number of faults."""
    return sum(fault.end - fault.start + 1 for fault in faults), len(faults)
