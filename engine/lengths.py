"""How the length of a hole becomes known: what a model says of it, made slots of a canvas."""

from typing import Protocol

import torch
from torch import Tensor

from engine.sampler import Look, Resize
from engine.schedule import length_nats
from engine.tokenizer import MASK
from engine.vocabulary import Vocabulary


class LengthControl(Protocol):
    """How a model's holes get their length.

    resize  None where the length of a row is settled before it is filled
    """

    resize: Resize | None

    def nats(self, look: Look, slots: int, most: int, max_lines: int) -> Tensor:
        """Log-probability of every length 0..most to start with, float32 [most + 1].

        slots  of the canvas, at least `most`

        Minus infinity: not to be tried.
        """
        ...


class EndOfMiddle:
    """The model gives each slot of a blank canvas a probability of being past the end."""

    resize: Resize | None = None

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def nats(self, look: Look, slots: int, most: int, max_lines: int) -> Tensor:
        device = self._vocabulary.specials_V.device
        blank_NC = torch.full((1, slots), MASK, device=device)
        seen_CV = look(blank_NC, torch.ones_like(blank_NC, dtype=torch.bool))
        return length_nats(*self._vocabulary.ends(seen_CV, max_lines))[: most + 1]
