"""What is left of fills that nothing could mend: a sound head, one that was closed, a bracket."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.constraints import ConstrainedGate
from engine.overlap import Surroundings
from grammars import Gate


@dataclass(frozen=True, slots=True)
class Remains:
    """A text without faults, and the rank of the fill that it was made of."""

    text: bytes
    rank: int


def remains(
    gate: Gate | ConstrainedGate, fills: Sequence[bytes], around: Surroundings, deadline: float
) -> Iterator[Remains]:
    """What may be shown of these fills, none of them sound as it is, the best first.

    The longest sound head of each; then the longest that is sound with its brackets closed; then,
    where the hole must not stay empty, the least that completes its line. None past the deadline,
    seconds of `time.monotonic`.
    """
    for cut in (gate.longest_sound_prefix, gate.longest_closed_prefix):
        for rank, fill in enumerate(fills):
            if time.monotonic() >= deadline:
                return
            text = cut(fill)
            if _is_new(text, around) and gate.confirm(text):
                yield Remains(text, rank)
    if fills and gate.faults(b""):
        for text in gate.completions():
            if time.monotonic() >= deadline:
                return
            if _is_new(text, around) and not gate.faults(text) and gate.confirm(text):
                yield Remains(text, len(fills) - 1)


def _is_new(text: bytes, around: Surroundings) -> bool:
    """Is there anything that does not stand behind the hole already?"""
    return bool(text) and around.trim(text.decode()).encode() == text
