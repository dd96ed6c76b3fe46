"""From finished canvases to a text that adds no fault: gate, climb, cut, remask and climb again.

Text that was never checked is not shown where there is a grammar: past the deadline the answer is
nothing rather than a guess.
"""

import math
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from engine.canvas import Canvas
from engine.constraints import ConstrainedGate
from engine.heads import heads
from engine.joints import Joints
from engine.lookup import Guess
from engine.overlap import Surroundings
from engine.remains import remains
from engine.repair import MOVES, Detokenize, blame, climb
from engine.sampler import Limits, Look, denoise
from engine.schedule import Rule
from engine.tokenizer import Codec
from engine.types import Head, Verdict
from grammars import Gate

_PASSES = 2
"""Looks at places that were masked again. A second round of them mended none of 7 fills more."""
_LIKELY_NATS = math.log(0.5)
"""An answer that is likelier than this needs no head."""
_OTHER_MOVES = 8
"""Tried in a round of a climb in a row that is not the best."""


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
    joints: Joints
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
            unchecked = [self._unchecked(fill) for fill in fills]
            return next((one for one in unchecked if one.text or not one.tokens), unchecked[0])
        found = next(self._sound(fills), None) or self._climbed(gate, fills)
        found = found or self._kept(gate, fills)
        if found is None:
            found = yield from self._refined(gate, fills)
        found = found or self._nothing(gate, fills)
        if isinstance(gate, ConstrainedGate) and gate.gate is None and found.text:
            return replace(found, verdict="unchecked")
        return found

    def others(self, fills: list[Fill], first: Settled, count: int) -> list[Settled]:
        """Up to `count` further answers among the fills, each sound and each another text."""
        if count == 0:
            return []
        sound = self._sound(fills) if self.gate else (self._unchecked(fill) for fill in fills)
        found: list[Settled] = []
        for settled in sound:
            if len(found) == count or time.monotonic() >= self.deadline:
                break
            if settled.text and settled.text not in (first.text, *(one.text for one in found)):
                found.append(settled)
        return found

    def heads(
        self, fills: list[Fill], first: Settled, further: Sequence[Guess]
    ) -> tuple[Head, ...]:
        """Heads of an answer that is not likely: see `engine/heads.py`.

        further  fills that were found but not among those
        """
        if not first.text or first.score_nats > _LIKELY_NATS:
            return ()
        chances = {guess.fill.rstrip(): guess.chance for guess in further}
        for fill in fills:
            text = self.text(fill.tokens).decode(errors="ignore")
            chances[text] = max(chances.get(text, 0.0), math.exp(fill.score_nats))
        whole = first.text.decode()
        chances.setdefault(whole, math.exp(first.score_nats))
        return heads(whole, chances, self._is_sound, self.deadline)

    def _is_sound(self, text: bytes) -> bool:
        gate = self.gate
        return gate is None or (not gate.faults(text) and gate.confirm(text))

    def _unchecked(self, fill: Fill) -> Settled:
        text = self.text(fill.tokens).decode(errors="ignore").encode()
        return Settled(text, "unchecked", fill.score_nats, fill.tokens)

    def _sound(self, fills: list[Fill]) -> Iterator[Settled]:
        """The fills without a fault. An empty one counts only where it is the best, and meant."""
        for rank, fill in enumerate(fills):
            text = self.text(fill.tokens)
            wanted = text or (rank == 0 and not fill.tokens)
            if wanted and self._is_sound(text):
                yield Settled(text, "valid", fill.score_nats, fill.tokens)

    def _climbed(self, gate: Gate | ConstrainedGate, fills: list[Fill]) -> Settled | None:
        """The first fill that becomes sound by climbing in its lattice."""
        moves = (MOVES, *(_OTHER_MOVES for _ in fills))
        found = (self._climb(gate, *pair) for pair in zip(fills, moves, strict=False))
        return next(filter(None, found), None)

    def _climb(self, gate: Gate | ConstrainedGate, fill: Fill, moves: int) -> Settled | None:
        lattice = fill.canvas.lattice()
        mended = climb(lattice, gate, self._detokenizer(fill), self.deadline, moves)
        if not (mended.sound and mended.text and gate.confirm(mended.text)):
            return None
        return Settled(mended.text, "repaired", fill.score_nats, fill.around(mended.tokens))

    def _refined(
        self, gate: Gate | ConstrainedGate, fills: list[Fill]
    ) -> Generator[Fill, None, Settled | None]:
        """Remask what is to blame in the best fill that has any token, look again, climb."""
        fill = next((fill for fill in fills if fill.canvas.length(0)), fills[0])
        lattice = fill.canvas.lattice()
        places = blame(lattice, gate, self._detokenizer(fill))
        if not places or time.monotonic() >= self.deadline:
            return None
        penalised = [(place, lattice.tokens[place]) for place in places]
        limits = Limits(self.forbidden_V, penalised, self.deadline)
        fill = replace(fill, canvas=fill.canvas.remasked(places))
        rule = replace(self.rule, passes=_PASSES)
        for _ in denoise(fill.look, fill.canvas, rule, limits, self.noise):
            yield fill
        return self._climb(gate, fill, MOVES)

    def _kept(self, gate: Gate | ConstrainedGate, fills: list[Fill]) -> Settled | None:
        """What is left where nothing could be mended."""
        texts = [self.text(fill.tokens) for fill in fills]
        kept = next(remains(gate, texts, self.around, self.joints, self.deadline), None)
        return kept and Settled(kept.text, "cut", fills[kept.rank].score_nats)

    def _nothing(self, gate: Gate | ConstrainedGate, fills: list[Fill]) -> Settled:
        """No text: valid if none was missing."""
        complete = not self.text(fills[0].tokens) and gate.confirm(b"")
        return Settled(b"", "valid" if complete else "rejected", fills[0].score_nats)

    def _detokenizer(self, fill: Fill) -> Detokenize:
        return lambda tokens: self.text(fill.around(tokens))

    def text(self, tokens: Sequence[int]) -> bytes:
        """The bytes of a fill: at most `max_lines` lines, and nothing that stands behind the hole.

        Bytes that are no UTF-8 are left as they are, for the gate to find.
        """
        text = b"\n".join(self.tokenizer.decode(tokens).split(b"\n")[: self.max_lines])
        try:
            return self.around.trim(text.decode()).encode()
        except UnicodeDecodeError:
            return text
