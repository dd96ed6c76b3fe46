"""From finished canvases to a text that adds no fault: gate, climb, remask and refine, cut.

Text that was never checked is not shown where there is a grammar: past the deadline the answer is
nothing rather than a guess.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from engine.canvas import Canvas
from engine.constraints import ConstrainedGate
from engine.overlap import Surroundings
from engine.repair import blame, climb
from engine.sampler import Limits, Look, denoise
from engine.schedule import Rule
from engine.tokenizer import Codec
from engine.types import Verdict
from grammars import Gate

_ROUNDS, _PASSES = 2, 2


@dataclass(frozen=True, slots=True)
class Fill:
    """One way to fill the hole.

    before      tokens of the blocks that came before the last
    canvas      the last block, one row
    look        the denoiser in the context of that block
    score_nats  log-probability that the fill is exactly right, <= 0, as estimated when it was done
    after       tokens of the draft that come behind the canvas
    """

    before: list[int]
    canvas: Canvas
    look: Look
    score_nats: float = 0.0
    after: list[int] = field(default_factory=list[int])

    @property
    def tokens(self) -> list[int]:
        """All tokens of the fill."""
        return self.around(self.canvas.tokens_NC[0, : self.canvas.length(0)].tolist())

    def around(self, tokens: Sequence[int]) -> list[int]:
        """All tokens of the fill, with these in the place of the canvas."""
        return [*self.before, *tokens, *self.after]


@dataclass(frozen=True, slots=True)
class Settled:
    """The text to show and what was done to it.

    tokens  what it was made of, before it was trimmed; none where nothing whole is left
    """

    text: bytes
    verdict: Verdict
    score_nats: float
    tokens: list[int] = field(default_factory=list[int], compare=False)


@dataclass(frozen=True, slots=True)
class Settler:
    """Everything that settling needs besides the fills. `deadline`: seconds of `time.monotonic`."""

    gate: Gate | ConstrainedGate | None
    around: Surroundings
    tokenizer: Codec
    max_lines: int
    rule: Rule
    forbidden_V: Tensor
    noise: torch.Generator
    deadline: float

    def settle(self, fills: list[Fill]) -> Generator[Fill, None, Settled]:
        """Yields the fill after each further pass; returns the answer. `fills`: best first."""
        gate = self.gate
        if gate is None:
            return self._unchecked(fills[0])
        found = next(self._sound(gate, fills), None)
        if found is None:
            found = yield from self._mend(gate, fills[0])
        found = found or self._cut(gate, fills)
        if isinstance(gate, ConstrainedGate) and gate.gate is None and found.text:
            return replace(found, verdict="unchecked")
        return found

    def others(self, fills: list[Fill], first: Settled, count: int) -> list[Settled]:
        """Up to `count` further answers among the fills, each sound and each another text."""
        if count == 0:
            return []
        gate = self.gate
        sound = self._sound(gate, fills) if gate else (self._unchecked(fill) for fill in fills)
        found: list[Settled] = []
        for settled in sound:
            if len(found) == count or time.monotonic() >= self.deadline:
                break
            if settled.text and settled.text not in (first.text, *(one.text for one in found)):
                found.append(settled)
        return found

    def _unchecked(self, fill: Fill) -> Settled:
        text = self.text(fill.tokens).decode(errors="ignore").encode()
        return Settled(text, "unchecked", fill.score_nats, fill.tokens)

    def _sound(self, gate: Gate | ConstrainedGate, fills: list[Fill]) -> Iterator[Settled]:
        """The fills without a fault; nothing at all counts only where it is the best."""
        for rank, fill in enumerate(fills):
            text = self.text(fill.tokens)
            if (text or rank == 0) and not gate.faults(text) and gate.confirm(text):
                yield Settled(text, "valid", fill.score_nats, fill.tokens)

    def _mend(
        self, gate: Gate | ConstrainedGate, fill: Fill
    ) -> Generator[Fill, None, Settled | None]:
        """Climb in the lattice; where that fails, remask what is to blame, look again, climb."""

        def detokenize(tokens: Sequence[int]) -> bytes:
            return self.text(fill.around(tokens))

        canvas, rule = fill.canvas, replace(self.rule, passes=_PASSES)
        for round_index in range(_ROUNDS + 1):
            lattice = canvas.lattice()
            mended = climb(lattice, gate, detokenize, self.deadline)
            if mended.sound and mended.text and gate.confirm(mended.text):
                tokens = fill.around(mended.tokens)
                return Settled(mended.text, "repaired", fill.score_nats, tokens)
            if round_index == _ROUNDS or time.monotonic() >= self.deadline:
                return None
            places = blame(lattice, gate, detokenize)
            banned = [(place, lattice.tokens[place]) for place in places]
            limits = Limits(self.forbidden_V, banned, self.deadline)
            canvas = canvas.remasked(places)
            for _ in denoise(fill.look, canvas, rule, limits, self.noise):
                yield replace(fill, canvas=canvas)
        return None

    def _cut(self, gate: Gate | ConstrainedGate, fills: list[Fill]) -> Settled:
        """The longest sound head of the best row that has one, first as it is, then closed."""
        for cut in (gate.longest_sound_prefix, gate.longest_closed_prefix):
            for fill in fills:
                if time.monotonic() >= self.deadline:
                    return Settled(b"", "rejected", fills[0].score_nats)
                text = cut(self.text(fill.tokens))
                in_time = time.monotonic() < self.deadline
                if text and in_time and self._is_kept(text) and gate.confirm(text):
                    return Settled(text, "cut", fill.score_nats)
        return Settled(b"", "rejected", fills[0].score_nats)

    def _is_kept(self, text: bytes) -> bool:
        """Has a fill that was closed nothing that stands behind the hole already?"""
        return self.around.trim(text.decode()).encode() == text

    def text(self, tokens: Sequence[int]) -> bytes:
        """The bytes of a fill: at most `max_lines` lines, and nothing that stands behind the hole.

        Bytes that are no UTF-8 are left as they are, for the gate to find.
        """
        text = b"\n".join(self.tokenizer.decode(tokens).split(b"\n")[: self.max_lines])
        try:
            return self.around.trim(text.decode()).encode()
        except UnicodeDecodeError:
            return text
