"""What is left of fills that nothing could mend: a sound head, what completes the line, a joint."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from engine.constraints import ConstrainedGate
from engine.joints import Joints
from engine.overlap import Surroundings
from grammars import Gate

_JOINTS = 40
"""How many are tried. Of 62 holes that got so far, 60 fit into no more than 40, 20 into 3 fewer."""
_NAMES = 4
_WORD = re.compile(rb"[A-Za-z_]\w*")
_NEAR = 200
"""Bytes before the hole's line in which names are looked for."""


@dataclass(frozen=True, slots=True)
class Remains:
    """A text without faults, and the rank of the fill that it was made of."""

    text: bytes
    rank: int


def remains(
    gate: Gate | ConstrainedGate,
    fills: Sequence[bytes],
    around: Surroundings,
    joints: Joints,
    deadline: float,
) -> Iterator[Remains]:
    """What may be shown of these fills, none of them sound as it is, the best first.

    The longest sound head of each; then, where the hole must not stay empty or a fill says that it
    does not, what else fits there. None past the deadline, seconds of `time.monotonic`.
    """
    for rank, fill in enumerate(fills):
        if time.monotonic() >= deadline:
            return
        text = gate.longest_sound_prefix(fill)
        if _is_new(text, around) and gate.confirm(text):
            yield Remains(text, rank)
    for text in _fitting(gate, fills, joints):
        if time.monotonic() >= deadline:
            return
        two_lines = b"\n" in text and bool(around.rest)
        if (two_lines or _is_new(text, around)) and not gate.faults(text) and gate.confirm(text):
            yield Remains(text, len(fills) - 1)


def _fitting(
    gate: Gate | ConstrainedGate, fills: Sequence[bytes], joints: Joints
) -> Iterator[bytes]:
    """The least that completes the line; halves of other lines; forms that take a name."""
    if gate.whole and not any(fills):
        return
    endings = gate.completions()
    if gate.faults(b""):
        yield from endings
    yield from islice(joints.fills(endings), _JOINTS)
    for name in islice(_names(fills, joints), _NAMES):
        yield from gate.named(name)


def _names(fills: Sequence[bytes], joints: Joints) -> Iterator[bytes]:
    """The fills' own words, and those before the hole's line, the nearest first."""
    before = joints.text[: joints.hole.start].rpartition(b"\n")[0][-_NEAR:]
    words = [word for fill in fills for word in _WORD.findall(fill)]
    yield from dict.fromkeys([*words[: _NAMES // 2], *reversed(_WORD.findall(before))])


def _is_new(text: bytes, around: Surroundings) -> bool:
    """Is there anything that does not stand behind the hole already?"""
    return bool(text) and around.trim(text.decode()).encode() == text
