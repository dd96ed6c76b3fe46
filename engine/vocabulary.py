"""Sets of tokens as masks over the logits: what may not be written, and what ends a line."""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.tokenizer import EOM


class Vocabulary:
    """Boolean rows [V] over a checkpoint's vocabulary, on one device.

    specials_V     stand for no text, or for no token at all (rows that only pad the embedding)
    line_breaks_V  hold a line feed or a carriage return
    """

    def __init__(self, token_bytes: Sequence[bytes], size: int, device: torch.device) -> None:
        written = [index for index, run in enumerate(token_bytes) if run]
        self.specials_V = torch.ones(size, dtype=torch.bool, device=device)
        self.specials_V[written] = False
        breaks = [i for i, run in enumerate(token_bytes) if b"\n" in run or b"\r" in run]
        self.line_breaks_V = torch.zeros_like(self.specials_V)
        self.line_breaks_V[breaks] = True

    def forbidden(self, max_lines: int) -> Tensor:
        """bool [V], what a fill of so many lines must not hold."""
        return self.specials_V | self.line_breaks_V if max_lines == 1 else self.specials_V

    def ends(self, log_probs_CV: Tensor, max_lines: int) -> tuple[Tensor, Tensor]:
        """Of each slot, float32 [C]: is it `<eom>`; if not, does it break the only line?"""
        eom_C = log_probs_CV[:, EOM].exp()
        if max_lines > 1:
            return eom_C, torch.zeros_like(eom_C)
        breaks_C = log_probs_CV[:, self.line_breaks_V].exp().sum(-1)
        return eom_C, (breaks_C / (1 - eom_C).clamp(min=1e-6)).clamp(max=1)
