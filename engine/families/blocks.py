"""Models that see in blocks: both ways within a block, and all blocks before it, none behind.

A block that is full never changes again, nor do its keys and values: they are kept, exactly, from
pass to pass and from request to request. The block that is being filled begins with what it has of
the context, and behind the canvas it is masked to its end.

Shape letters as in `transformer.py`; C slots of a canvas.

Source: BD3-LM, arXiv:2503.09573.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.families.past import Past, cut, grown, length
from engine.families.transformer import Transformer
from engine.segments import in_common


@dataclass(frozen=True, slots=True)
class OpenBlock:
    """A context, of which all but the tokens after the last full block have been read.

    block    tokens that see each other
    past     the full blocks
    ends     hidden states [D] of the last token of each of them
    known    the tokens after them
    encoded  tokens that had to be computed for this context
    """

    stack: Transformer
    block: int
    past: Past
    ends: tuple[Tensor, ...]
    known: tuple[int, ...]
    encoded: int

    @property
    def room(self) -> int:
        """Tokens until the block is full."""
        return self.block - len(self.known)

    def look(self, canvas_NC: Tensor, mask: int) -> tuple[Tensor, Tensor]:
        """Hidden states [N, C, D] of slots that follow the context, and of the tokens before them.

        canvas_NC  int64, in the family's ids
        mask       what stands behind the canvas to the end of its last block
        """
        rows, slots = canvas_NC.shape
        start = len(self.known)
        known_NK = canvas_NC.new_tensor([self.known]).expand(rows, -1)
        blank_NB = canvas_NC.new_full((rows, -(start + slots) % self.block), mask)
        hidden_NTD, _ = read_blocks(
            self.stack, self.block, torch.cat([known_NK, canvas_NC, blank_NB], 1), self.past
        )
        first_D = self.ends[-1] if self.ends else hidden_NTD[0, 0]  # none before: it is its own
        before_NTD = torch.cat([first_D.expand(rows, 1, -1), hidden_NTD[:, :-1]], 1)
        return hidden_NTD[:, start : start + slots], before_NTD[:, start : start + slots]


class Blocks:
    """The full blocks of the latest context, kept for the next."""

    def __init__(self, stack: Transformer, block: int) -> None:
        self._stack, self._block = stack, block
        self._tokens: list[int] = []
        self._past: Past = []
        self._ends: list[Tensor] = []

    def read(self, tokens: Sequence[int]) -> OpenBlock:
        """Take this context; what it begins with in common with the latest one is not computed."""
        full = len(tokens) - len(tokens) % self._block
        same = in_common(self._tokens, [*tokens[:full]])
        same -= same % self._block
        self._past = cut(self._past, same)
        del self._ends[same // self._block :]
        if same < full:
            self._encode(tokens[same:full])
        self._tokens, known = [*tokens[:full]], tuple(tokens[full:])
        ends = tuple(self._ends)
        return OpenBlock(self._stack, self._block, self._past, ends, known, full - same)

    def _encode(self, fresh: Sequence[int]) -> None:
        fresh_1T = torch.tensor([fresh], device=self._stack.embed_tokens.weight.device)
        hidden_1TD, read = read_blocks(self._stack, self._block, fresh_1T, self._past)
        self._past = grown(self._past, read)
        self._ends += hidden_1TD[0, self._block - 1 :: self._block]


def read_blocks(
    stack: Transformer, block: int, tokens_NT: Tensor, past: Past
) -> tuple[Tensor, Past]:
    """Hidden states [N, T, D], keys and values of tokens in whole blocks, after all of `past`."""
    start = length(past)
    places_S = torch.arange(start + tokens_NT.shape[1], device=tokens_NT.device)
    places_T = places_S[start:]
    seen_TS = places_S // block <= places_T[:, None] // block
    return stack(tokens_NT, places_T[None], seen_TS[None], past)
