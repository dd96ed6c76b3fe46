"""How the length of a hole becomes known: what a model says of it, made slots of a canvas."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from engine.canvas import Canvas
from engine.sampler import Look, Resize
from engine.schedule import length_nats
from engine.tokenizer import EOM, MASK
from engine.vocabulary import Vocabulary


class LengthControl(Protocol):
    """How a model's holes get their length."""

    def resize(self, max_lines: int) -> Resize | None:
        """None where the length of a row is settled before it is filled."""
        ...

    def nats(self, look: Look, slots: int, most: int, max_lines: int) -> Tensor:
        """Log-probability of every length 0..most to start with, float32 [most + 1].

        slots  of the canvas, at least `most`

        Minus infinity: not to be tried.
        """
        ...


class EndOfMiddle:
    """The model gives each slot of a blank canvas a probability of being past the end."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def resize(self, max_lines: int) -> None:
        del max_lines

    def nats(self, look: Look, slots: int, most: int, max_lines: int) -> Tensor:
        device = self._vocabulary.specials_V.device
        blank_NC = torch.full((1, slots), MASK, device=device)
        seen_CV = look(blank_NC, torch.ones_like(blank_NC, dtype=torch.bool))
        return length_nats(*self._vocabulary.ends(seen_CV, max_lines))[: most + 1]


class Confidence:
    """The model says nothing of lengths: blank canvases of several are looked at, all at once.

    The surer a model is of all the slots of a blank canvas together, the likelier its length.

    Source: CAL's first-step confidence, without its correction of the bias.
    """

    def __init__(self, candidates: Sequence[int], vocabulary: Vocabulary) -> None:
        self._candidates, self._vocabulary = candidates, vocabulary

    def resize(self, max_lines: int) -> None:
        del max_lines

    def nats(self, look: Look, slots: int, most: int, max_lines: int) -> Tensor:
        lengths = [length for length in self._candidates if length <= most] or [most]
        forbidden_V = self._vocabulary.forbidden(max_lines)
        rows = Canvas.blank(lengths, slots, forbidden_V.device)
        log_probs_PV = look(rows.tokens_NC, rows.masked_NC).masked_fill(forbidden_V, float("-inf"))
        best_P = torch.log_softmax(log_probs_PV, -1).amax(-1)
        means = torch.stack([part.mean() for part in best_P.split(lengths)])
        nats = torch.full((most + 1,), float("-inf"), device=best_P.device)
        nats[lengths] = torch.log_softmax(means, 0)
        return nats


class ToTheEnd:
    """The model is given all the slots there are, and ends a hole by EOM or by its last line's end.

    Such a model writes a line with the break behind it, often in one token with the last character:
    were the break forbidden, it would have to write something else there.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def resize(self, max_lines: int) -> Resize:
        return _Closing(self._vocabulary, max_lines)

    def nats(self, look: Look, slots: int, most: int, max_lines: int) -> Tensor:
        del look, slots, max_lines
        return _surely(most, most, self._vocabulary.specials_V.device)


class _Closing(Resize):
    def __init__(self, vocabulary: Vocabulary, max_lines: int) -> None:
        self._breaks_V, self._max_lines = vocabulary.line_breaks_V, max_lines
        self.spelled_V = self._breaks_V.clone()
        self.spelled_V[EOM] = True

    def refused(self, canvas: Canvas, *, last: bool) -> Tensor:
        del last
        return torch.zeros_like(self._breaks_V).expand(len(canvas.tokens_NC), -1)

    def apply(self, canvas: Canvas) -> None:
        canvas.close(self._breaks_V, self._max_lines)


class ExpandDelete:
    """The model begins with few slots, and writes tokens that stand for one more or one less.

    start   slots to begin with
    expand  the engine's id of the token that becomes two masked slots; EOM becomes none

    Source: DreamOn, arXiv:2602.01326.
    """

    def __init__(self, start: int, expand: int, vocabulary: Vocabulary) -> None:
        self._start = start
        self._device = vocabulary.specials_V.device
        self._reflowing = _Reflowing(expand, vocabulary)

    def resize(self, max_lines: int) -> Resize:
        del max_lines
        return self._reflowing

    def nats(self, look: Look, slots: int, most: int, max_lines: int) -> Tensor:
        del look, slots, max_lines
        return _surely(min(self._start, most), most, self._device)


class _Reflowing(Resize):
    def __init__(self, expand: int, vocabulary: Vocabulary) -> None:
        self._expand = expand
        self._expands_V = torch.zeros_like(vocabulary.specials_V)
        self._expands_V[expand] = True
        self.spelled_V = self._expands_V.clone()
        self.spelled_V[EOM] = True

    def refused(self, canvas: Canvas, *, last: bool) -> Tensor:
        """No expansion where the canvas is full, or nothing more would be filled."""
        full_N1 = ~canvas.known_NC.any(1, keepdim=True)
        return self._expands_V & (full_N1 | last)

    def apply(self, canvas: Canvas) -> None:
        canvas.reflow(self._expand)


def _surely(length: int, most: int, device: torch.device) -> Tensor:
    nats = torch.full((most + 1,), float("-inf"), device=device)
    nats[length] = 0.0
    return nats
