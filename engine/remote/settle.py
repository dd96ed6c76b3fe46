"""From somebody's text to one that adds no fault: the gate and the repair, without a denoiser."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.constraints import ConstrainedGate
from engine.joints import Joints
from engine.overlap import Surroundings
from engine.remains import remains
from engine.remote.answer import Piece
from engine.remote.templates import END_MARKS
from engine.repair import Lattice, climb
from engine.types import InfillRequest, Verdict
from grammars import Gate, language_for

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Judge:
    """What a fill for one request is held against. `deadline`: seconds of `time.monotonic`."""

    gate: Gate | ConstrainedGate | None
    around: Surroundings
    joints: Joints
    max_lines: int
    deadline: float

    @classmethod
    def of(cls, request: InfillRequest, deadline: float) -> "Judge":
        """For a request; without a grammar for its language there is no gate."""
        language = language_for(request.language, request.text)
        hole, demand = request.hole, request.constraint
        gate = language and Gate(language, request.text, hole.start, hole.end, deadline)
        return cls(
            ConstrainedGate(gate, demand, deadline) if demand else gate,
            Surroundings.of(request.text, hole),
            Joints(request.text, hole, request.max_lines),
            request.max_lines,
            deadline,
        )

    def settle(self, pieces: Sequence[Piece]) -> tuple[bytes, Verdict]:
        """The text to offer: as it came, else repaired, else the longest head that is sound."""
        text = self.text([piece.text for piece in pieces])
        gate = self.gate
        if gate is None:
            return text, "unchecked"
        if not gate.faults(text) and gate.confirm(text):
            return text, "valid"
        mended = self._mended(gate, pieces)
        if mended:
            return mended, "repaired"
        kept = next(remains(gate, [text], self.around, self.joints, self.deadline), None)
        return (kept.text, "cut") if kept else (b"", "rejected")

    def text(self, pieces: Sequence[str]) -> bytes:
        """The bytes of a fill: no end mark, at most `max_lines`, nothing from behind the hole."""
        text = "".join(pieces)
        for mark in END_MARKS:
            text = text.partition(mark)[0]
        lines = without_fence(text).replace("\r\n", "\n").split("\n")
        return self.around.trim("\n".join(lines[: self.max_lines])).encode()

    def _mended(self, gate: Gate | ConstrainedGate, pieces: Sequence[Piece]) -> bytes:
        """The fill with tokens exchanged for what was nearly chosen, or left out; b"" if in vain.

        Where the server tells no alternatives, leaving words out is all that can be done.
        """
        pieces = [token for piece in pieces for token in _tokens(piece)]
        words = [piece.text for piece in pieces]
        candidates: list[list[tuple[int, float]]] = []
        for place, piece in enumerate(pieces):
            chosen = (place, piece.nats or 0.0)
            others = [(word, nats) for word, nats in piece.others if word != piece.text]
            numbered = enumerate(others, len(words))
            candidates.append([chosen, *((token, nats) for token, (_, nats) in numbered)])
            words += [word for word, _ in others]
        lattice = Lattice(list(range(len(pieces))), candidates, set())

        def detokenize(tokens: Sequence[int]) -> bytes:
            return self.text([words[token] for token in tokens])

        mended = climb(lattice, gate, detokenize, self.deadline)
        return mended.text if mended.sound and gate.confirm(mended.text) else b""


def _tokens(piece: Piece) -> list[Piece]:
    """A piece that the server rated is a token; another may be any run of text."""
    if piece.nats is not None:
        return [piece]
    return [Piece(word) for word in _WORDS.findall(piece.text)]


def without_fence(text: str) -> str:
    """The code in a fence of Markdown, as models made for talk write it."""
    if not text.lstrip().startswith("```"):
        return text
    inside = text.lstrip().partition("\n")[2]
    return inside.partition("\n```")[0]
