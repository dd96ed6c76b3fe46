"""dllm's a2d checkpoints trained by bd3lm: Qwen2.5 or Qwen3 that sees in blocks.

dllm pads a prompt on the left, so that a block begins where the prompt ends; here blocks count from
the start of the text, as in its training, so that a block that is full stays full when the text
grows. Those trained by mdlm see both ways (`qwen.py`).

Checkpoints: dllm-hub/Qwen2.5-Coder-0.5B-Instruct-diffusion-bd3lm-v0.1, Qwen3-0.6B-diffusion-bd3lm.
Source: github.com/ZHZisZZ/dllm, core/samplers/bd3lm.py. It unmasks one place a pass; here those
that are 0.9 sure do not wait (Fast-dLLM, arXiv:2505.22618).
"""

from engine.families.blockwise import BlockLayout, blockwise
from engine.families.codec import codec_of
from engine.families.folder import Folder
from engine.families.model import Plan
from engine.families.qwen import in_blocks
from engine.families.stack import shape_of

_BLOCK = 32
_CONFIDENT = 0.9
_QK_NORM = {"A2DQwen2LMHeadModel": False, "A2DQwen3LMHeadModel": True}


def claims(folder: Folder) -> bool:
    """Is this one of these checkpoints?"""
    return folder.architecture in _QK_NORM and in_blocks(folder)


def plan(folder: Folder) -> Plan:
    """Raises CheckpointError."""
    codec, norm = codec_of(folder), _QK_NORM[folder.architecture]
    turn_end = codec.specials.get("<|im_end|>")
    layout = BlockLayout(
        block=folder.number("block_size", _BLOCK),
        mask=codec.mask(folder.config),
        end=codec.end(folder.config) if turn_end is None else turn_end,
    )
    shape = shape_of(folder, qkv_bias=not norm, qk_norm=norm)
    return blockwise(folder, codec, shape, layout, _CONFIDENT)
