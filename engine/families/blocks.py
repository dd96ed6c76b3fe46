"""Models that see in blocks: both ways within a block, and all blocks before it, none behind.

A block that is full never changes again, nor do its keys and values: they are kept, exactly, from
pass to pass and from request to request. The block that is being filled begins with what it has of
the context, and behind the canvas it is masked to its end.

Shape letters as in `transformer.py`; C slots of a canvas.

Source: BD3-LM, arXiv:2503.09573.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.families.transformer import KeysValues, Past, Transformer


class Blocks:
    """One context of a block-causal stack, read as far as its blocks are full.

    block  tokens that see each other
    """

    def __init__(self, model: Transformer, block: int) -> None:
        self._model, self._block = model, block
        self._tokens: list[int] = []
        self._past: Past | None = None
        self._ends: list[Tensor] = []  # hidden states [D], of the last token of each block

    def read(self, tokens: Sequence[int]) -> int:
        """Take this context instead of the latest one; returns how many tokens were computed."""
        full = len(tokens) - len(tokens) % self._block
        same = self._common(tokens[:full])
        self._past = _first(self._past, same)
        del self._ends[same // self._block :]
        if same < full:
            self._encode(tokens[same:full], same)
        self._tokens = [*tokens]
        return full - same

    def look(self, canvas_NC: Tensor, mask: int) -> tuple[Tensor, Tensor]:
        """Hidden states [N, C, D] of slots that follow the context, and of the tokens before them.

        canvas_NC  int64, in the family's ids
        mask       what stands behind the canvas to the end of its last block
        """
        full = len(self._ends) * self._block
        known_1K = canvas_NC.new_tensor([self._tokens[full:]])
        rows, slots = canvas_NC.shape
        start = known_1K.shape[1]
        blank_NB = canvas_NC.new_full((rows, -(start + slots) % self._block), mask)
        row_NT = torch.cat([known_1K.expand(rows, -1), canvas_NC, blank_NB], 1)
        hidden_NTD, _ = self._pass(row_NT, full, self._past)
        before = self._ends[-1] if self._ends else hidden_NTD[0, 0]  # none: a token is its own
        before_NTD = torch.cat([before.expand(rows, 1, -1), hidden_NTD[:, :-1]], 1)
        return hidden_NTD[:, start : start + slots], before_NTD[:, start : start + slots]

    def room(self) -> int:
        """Tokens until the open block is full."""
        return self._block - len(self._tokens) % self._block

    def _common(self, tokens: Sequence[int]) -> int:
        """How many tokens of these begin the full blocks that are kept, in whole blocks."""
        most = min(len(tokens), len(self._ends) * self._block)
        pairs = enumerate(zip(self._tokens[:most], tokens[:most], strict=True))
        same = next((place for place, (kept, token) in pairs if kept != token), most)
        return same - same % self._block

    def _encode(self, fresh: Sequence[int], start: int) -> None:
        tokens_1T = torch.tensor([fresh], device=self._model.embed_tokens.weight.device)
        hidden_1TD, read = self._pass(tokens_1T, start, self._past)
        self._past = read if self._past is None else _joined(self._past, read)
        self._ends += hidden_1TD[0, self._block - 1 :: self._block]

    def _pass(self, tokens_NT: Tensor, start: int, past: Past | None) -> tuple[Tensor, Past]:
        """Tokens of whole blocks, the first of them at `start`, after all that was read."""
        places_S = torch.arange(start + tokens_NT.shape[1], device=tokens_NT.device)
        places_T = places_S[start:]
        seen_TS = places_S // self._block <= places_T[:, None] // self._block
        return self._model(tokens_NT, places_T[None], seen_TS[None], past)


def _first(past: Past | None, tokens: int) -> Past | None:
    if past is None or not tokens:
        return None
    return [KeysValues(keys[:, :, :tokens], values[:, :, :tokens]) for keys, values in past]


def _joined(past: Past, new: Past) -> Past:
    return [
        KeysValues(*(torch.cat(pair, 2) for pair in zip(before, after, strict=True)))
        for before, after in zip(past, new, strict=True)
    ]
