"""Our own checkpoints: context in two cached streams, lengths by `<eom>`."""

from collections.abc import Sequence
from pathlib import Path

from engine import checkpoint
from engine.checkpoint import Checkpoint
from engine.device import Placement
from engine.families.model import Facts, Reading, Traits
from engine.inference import Inference
from engine.kv_cache import PREFIX, SUFFIX, ContextCache
from engine.lengths import EndOfMiddle
from engine.look import BoundLook, look_together
from engine.schedule import Rule
from engine.segments import prefix_tokens, suffix_tokens
from engine.tokenizer import MASK
from engine.vocabulary import Vocabulary

_SLOTS = (16, 32, 64)
"""Of a canvas, and of those that have to hold a long guess. The last is larger than in training."""
_FILL_TOKENS = 96
_PART = 4
"""One part in so many of the context a model was trained on goes to the suffix, one to the fill."""


FACTS = Facts(sees_suffix=True, mask=MASK)


class Sfumato:
    """A checkpoint that `sfumato train` made, on a device."""

    def __init__(self, found: Checkpoint, placement: Placement) -> None:
        self._tokenizer = found.tokenizer
        model = found.model.to(placement.device, placement.dtype)
        self._inference = Inference(model)
        self._suffix_limit = found.context_tokens // _PART
        fill_tokens = min(_FILL_TOKENS, found.context_tokens // _PART)
        self._prefix_limit = found.context_tokens - self._suffix_limit - fill_tokens
        self._cache = ContextCache(self._inference, found.context_tokens)
        size = model.config.vocabulary
        vocabulary = Vocabulary(found.tokenizer.token_bytes, size, placement.device)
        self.traits = Traits(
            name=found.name,
            checksum=found.checksum,
            parameters=sum(p.numel() for p in model.parameters()),
            placement=placement,
            tokenizer=found.tokenizer,
            vocabulary=vocabulary,
            lengths=EndOfMiddle(vocabulary),
            rule=Rule(),
            slots=_SLOTS,
            fill_tokens=fill_tokens,
            together=look_together,
        )

    def streams(self, language: str, head: bytes, tail: bytes) -> tuple[list[int], list[int]]:
        """The prefix left to right, the suffix right to left, both ending at the hole."""
        return (
            prefix_tokens(self._tokenizer, language, head, len(head), self._prefix_limit),
            suffix_tokens(self._tokenizer, language, tail, 0, self._suffix_limit),
        )

    def read(self, prefix: Sequence[int], suffix: Sequence[int], done: Sequence[int]) -> Reading:
        left = self._cache.read([*prefix, *done], PREFIX)
        right = self._cache.read([*suffix], SUFFIX)
        context = self._inference.bind(left, right, (*prefix, *done)[-1])
        look = BoundLook(self._inference, context)
        return Reading(look, left.encoded + right.encoded, left.length + right.length)


def load(folder: Path, placement: Placement) -> Sfumato:
    """Verify and load a checkpoint of ours. Raises CheckpointError."""
    return Sfumato(checkpoint.load(folder), placement)
