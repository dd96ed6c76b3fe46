"""Fast-dLLM v2: Qwen2.5 that sees in blocks and reads each token off the one before it.

A block's first token follows from the full blocks alone; the rest is filled part by part.

Checkpoints: Efficient-Large-Model/Fast_dLLM_v2_1.5B and _7B.
Source: github.com/NVlabs/Fast-dLLM, v2, generation_functions.py; arXiv:2509.26328.
"""

from engine.families.blockwise import BlockLayout, blockwise
from engine.families.codec import codec_of
from engine.families.folder import Folder
from engine.families.model import Plan
from engine.families.stack import shape_of

_BLOCK, _PART = 32, 8
_CONFIDENT = 0.9
_MASK, _END = 151665, 151645
"""The published code has both hard-coded; some revisions of its tokenizer leave the mask out."""


def claims(folder: Folder) -> bool:
    """Is this one of these checkpoints?"""
    return folder.architecture == "Fast_dLLM_QwenForCausalLM"


def plan(folder: Folder) -> Plan:
    """Raises CheckpointError."""
    codec, block = codec_of(folder), folder.number("bd_size", _BLOCK)
    layout = BlockLayout(
        block=block,
        part=min(_PART, block),
        mask=codec.mask(folder.config, codec.specials.get("|<MASK>|", _MASK)),
        end=codec.specials.get("<|im_end|>", _END),
        shifted=True,
    )
    return blockwise(folder, codec, shape_of(folder, qkv_bias=True), layout, _CONFIDENT)
