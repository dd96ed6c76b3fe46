"""The rival with the same stack and size: left to right, one token a pass, keys and values cached.

The prefix stream of the denoiser predicts the next token, so the same weights decode either way.
"""

import torch
from torch import Tensor

from engine.kv_cache import PREFIX
from engine.model import Denoiser, KeysValues
from engine.tokenizer import SPECIALS


class Autoregressive:
    """Greedy decoding behind a context that was read before.

    capacity  tokens of context and of what is decoded behind it, at most
    """

    @torch.inference_mode()
    def __init__(self, model: Denoiser, context: list[int], capacity: int) -> None:
        self._model, self._context, config = model, context, model.config
        weight = model.embedding.weight
        shape = (config.layers, 2, 1, config.kv_heads, capacity, config.width // config.heads)
        self._kept_LXBKTE = weight.new_zeros(shape)  # X: keys, values
        self._direction_B = torch.tensor([PREFIX], device=weight.device)
        self._first_D = self._read(context, 0)

    @torch.inference_mode()
    def decode(self, count: int) -> list[int]:
        """The next `count` tokens; special ones are never chosen."""
        tokens = list(self._context)
        hidden_D = self._first_D
        for _ in range(count):
            scores_V = self._model.logits(hidden_D)[len(SPECIALS) :]
            tokens.append(int(scores_V.argmax()) + len(SPECIALS))
            hidden_D = self._read(tokens, len(tokens) - 1)
        return tokens[len(self._context) :]

    def _read(self, tokens: list[int], start: int) -> Tensor:
        """Read on from a token; the state after the last one."""
        device = self._kept_LXBKTE.device
        before_B = torch.tensor([tokens[start - 1]], device=device) if start else None
        past = [KeysValues(*kept_XBKTE[..., :start, :]) for kept_XBKTE in self._kept_LXBKTE]
        hidden_BTD, stream = self._model.encode(
            torch.tensor([tokens[start:]], device=device),
            self._direction_B,
            before_B,
            past if start else None,
        )
        for kept_XBKTE, (keys_BKTE, values_BKTE) in zip(self._kept_LXBKTE, stream, strict=True):
            kept_XBKTE[0][..., start : len(tokens), :] = keys_BKTE
            kept_XBKTE[1][..., start : len(tokens), :] = values_BKTE
        return hidden_BTD[0, -1]
