"""Fast-dLLM v2: Qwen2.5 that sees in blocks and reads each token off the one before it.

A block's first token follows from the full blocks alone; the rest is filled part by part.

Checkpoints: Efficient-Large-Model/Fast_dLLM_v2_1.5B and _7B.
Source: github.com/NVlabs/Fast-dLLM, v2, generation_functions.py; arXiv:2509.26328.
"""

from engine.device import Placement
from engine.families.blockwise import BlockLayout, Blockwise, blockwise
from engine.families.codec import FolderCodec
from engine.families.folder import Folder
from engine.families.stack import load_stack, shape_of

_CONTEXT_TOKENS = 2048
_CONFIDENT = 0.9
_PART = 8
_MASK, _END = 151665, 151645
"""The published code has both hard-coded; some revisions of its tokenizer leave the mask out."""


def claims(folder: Folder) -> bool:
    """Is this one of these checkpoints?"""
    return folder.architecture == "Fast_dLLM_QwenForCausalLM"


def load(folder: Folder, placement: Placement) -> Blockwise:
    """Raises CheckpointError."""
    codec, block = FolderCodec(folder), int(folder.config.get("bd_size", 32))
    layout = BlockLayout(
        block=block,
        part=min(_PART, block),
        mask=codec.mask(folder.config, codec.specials.get("|<MASK>|", _MASK)),
        end=codec.specials.get("<|im_end|>", _END),
        shifted=True,
        context_tokens=_CONTEXT_TOKENS,
    )
    stack = load_stack(folder, shape_of(folder, qkv_bias=True), placement)
    return blockwise(folder, placement, stack, codec, layout, _CONFIDENT)
