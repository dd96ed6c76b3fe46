"""dllm's a2d checkpoints trained by bd3lm: Qwen2.5 or Qwen3 that sees in blocks.

dllm pads a prompt on the left, so that a block begins where the prompt ends; here blocks count from
the start of the text, as in its training, so that a block that is full stays full when the text
grows. Those trained by mdlm see both ways (`qwen.py`).

Checkpoints: dllm-hub/Qwen2.5-Coder-0.5B-Instruct-diffusion-bd3lm-v0.1, Qwen3-0.6B-diffusion-bd3lm.
Source: github.com/ZHZisZZ/dllm, core/samplers/bd3lm.py. It unmasks one place a pass; here those
that are 0.9 sure do not wait (Fast-dLLM, arXiv:2505.22618).
"""

from engine.device import Placement
from engine.errors import CheckpointError
from engine.families.blockwise import BlockLayout, Blockwise, blockwise
from engine.families.codec import FolderCodec
from engine.families.folder import Folder
from engine.families.qwen import in_blocks
from engine.families.stack import load_stack, shape_of

_BLOCK = 32
_CONTEXT_TOKENS = 2048
_CONFIDENT = 0.9
_QK_NORM = {"A2DQwen2LMHeadModel": False, "A2DQwen3LMHeadModel": True}


def claims(folder: Folder) -> bool:
    """Is this one of these checkpoints?"""
    return folder.architecture in _QK_NORM and in_blocks(folder)


def load(folder: Folder, placement: Placement) -> Blockwise:
    """Raises CheckpointError."""
    codec, block = FolderCodec(folder), int(folder.config.get("block_size") or _BLOCK)
    end = codec.specials.get("<|im_end|>", codec.role(folder.config, "eos"))
    if end is None:
        raise CheckpointError(f"{folder.path} does not say which token ends a text")
    layout = BlockLayout(
        block=block,
        part=block,
        mask=codec.mask(folder.config),
        end=end,
        shifted=False,
        context_tokens=_CONTEXT_TOKENS,
    )
    norm = _QK_NORM[folder.architecture]
    stack = load_stack(folder, shape_of(folder, qkv_bias=not norm, qk_norm=norm), placement)
    return blockwise(folder, placement, stack, codec, layout, _CONFIDENT)
