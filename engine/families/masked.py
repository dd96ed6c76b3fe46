"""Masked models that see both ways and say nothing of lengths, sampled as LLaDA is.

Source: github.com/ML-GSAI/LLaDA, generate.py: equally many places each step, the surest first. What
is 0.9 sure is not waited for (Fast-dLLM, arXiv:2505.22618).
"""

from functools import partial

from engine.families.codec import codec_of
from engine.families.folder import Folder
from engine.families.full import CANDIDATES, FILL_TOKENS, SLOTS, Layout, full_attention
from engine.families.model import CONTEXT_TOKENS
from engine.families.stack import Filling, Naming, StackPlan, hub_name
from engine.families.transformer import Shape
from engine.lengths import Confidence
from engine.schedule import Rule, evenly

_RULE = Rule(passes=16, quota=evenly, remask_limit=0, lengths=3, guesses=0)


def masked(folder: Folder, shape: Shape, mask: int, named: Naming = hub_name) -> StackPlan:
    """A model between prefix and suffix. Raises CheckpointError where no token ends a text.

    mask  where neither config nor tokenizer names it
    """
    codec = codec_of(folder)
    begin = codec.role(folder.config, "bos")
    layout = Layout(
        mask=codec.mask(folder.config, mask),
        end=codec.end(folder.config),
        opening=() if begin is None else (begin,),
        closing=(),
        shifted=False,
        context_tokens=CONTEXT_TOKENS,
    )
    filling = Filling(partial(Confidence, CANDIDATES), _RULE, (SLOTS,), FILL_TOKENS)
    return full_attention(folder, codec, shape, layout, filling, named)
