"""SDAR: Qwen3 that sees in blocks, of a size that its config says.

Checkpoints: JetLM/SDAR-1.7B-Chat, -4B-Chat, -8B-Chat and their variants with blocks of 8 to 64.
Source: github.com/JetAstra/SDAR, generate.py and modeling_sdar.py.
"""

from engine.device import Placement
from engine.families.blockwise import BlockLayout, Blockwise, blockwise
from engine.families.codec import FolderCodec
from engine.families.folder import Folder
from engine.families.stack import load_stack, shape_of

_CONTEXT_TOKENS = 2048
_CONFIDENT = 0.85
_MASK = 151669


def claims(folder: Folder) -> bool:
    """Is this one of these checkpoints?"""
    return folder.architecture == "SDARForCausalLM" and "block_size" in folder.config


def load(folder: Folder, placement: Placement) -> Blockwise:
    """Raises CheckpointError."""
    codec, block = FolderCodec(folder), folder.number("block_size")
    layout = BlockLayout(
        block=block,
        part=block,
        mask=codec.mask(folder.config, _MASK),
        end=folder.number("eos_token_id"),
        shifted=False,
        context_tokens=_CONTEXT_TOKENS,
    )
    stack = load_stack(folder, shape_of(folder, qk_norm=True), placement)
    return blockwise(folder, placement, stack, codec, layout, _CONFIDENT)
