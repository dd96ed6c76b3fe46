"""Masked models that see both ways and say nothing of lengths, sampled as LLaDA is.

Source: github.com/ML-GSAI/LLaDA, generate.py: equally many places each step, the surest first. What
is 0.9 sure is not waited for (Fast-dLLM, arXiv:2505.22618).
"""

from engine.device import Placement
from engine.errors import CheckpointError
from engine.families.codec import FolderCodec
from engine.families.folder import Folder
from engine.families.full import FullAttention, Layout
from engine.families.qwen import CANDIDATES, CONTEXT_TOKENS, FILL_TOKENS, SLOTS
from engine.families.stack import Filling, traits_of, vocabulary_of
from engine.families.transformer import Transformer
from engine.lengths import Confidence
from engine.schedule import Rule, evenly

_RULE = Rule(passes=16, quota=evenly, remask_limit=0, lengths=3, guesses=0)


def masked(
    folder: Folder, placement: Placement, stack: Transformer, codec: FolderCodec, mask: int
) -> FullAttention:
    """A model between prefix and suffix. Raises CheckpointError where no token ends a text."""
    begin, end = codec.role(folder.config, "bos"), codec.role(folder.config, "eos")
    if end is None:
        raise CheckpointError(f"{folder.path} does not say which token ends a text")
    layout = Layout(
        mask=mask,
        end=end,
        opening=() if begin is None else (begin,),
        closing=(),
        shifted=False,
        context_tokens=CONTEXT_TOKENS,
    )
    lengths = Confidence(CANDIDATES, vocabulary_of(codec, stack.shape, placement))
    filling = Filling(lengths, _RULE, (SLOTS,), FILL_TOKENS)
    return FullAttention(stack, codec, layout, traits_of(folder, placement, stack, codec, filling))
