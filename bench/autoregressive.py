"""The rival with the same stack and size: left to right, one token a pass, keys and values cached.

The prefix stream of the denoiser predicts the next token, so the same weights decode either way,
through the same fast pass.
"""

from torch import Tensor

from engine.inference import Inference
from engine.kv_cache import PREFIX, Kept
from engine.tokenizer import SPECIALS


class Autoregressive:
    """Greedy decoding behind a context that was read before.

    capacity  tokens of context and of what is decoded behind it, at most
    """

    def __init__(self, inference: Inference, context: list[int], capacity: int) -> None:
        self._inference, self._context, config = inference, context, inference.config
        shape = (config.layers, config.kv_heads, capacity, config.width // config.heads)
        weight = inference.weight
        self._kept = Kept(weight.new_zeros(shape), weight.new_zeros(shape))
        self._first_V = self._read(context, 0)

    def decode(self, count: int) -> list[int]:
        """The next `count` tokens; special ones are never chosen."""
        tokens = [*self._context, _best(self._first_V)]
        for place in range(len(self._context), len(self._context) + count - 1):
            tokens.append(_best(self._read(tokens, place)))
        return tokens[len(self._context) :]

    def _read(self, tokens: list[int], start: int) -> Tensor:
        """Read on from a token; the scores of what comes behind the last one."""
        before = tokens[start - 1] if start else None
        kept = Kept(*(part[:, :, : len(tokens)] for part in self._kept))
        return self._inference.predict(tokens[start:], PREFIX, before, kept)


def _best(scores_V: Tensor) -> int:
    return int(scores_V[len(SPECIALS) :].argmax()) + len(SPECIALS)
