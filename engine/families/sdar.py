"""SDAR: Qwen3 that sees in blocks, of a size that its config says.

Checkpoints: JetLM/SDAR-1.7B-Chat, -4B-Chat, -8B-Chat and their variants with blocks of 8 to 64.
Source: github.com/JetAstra/SDAR, generate.py and modeling_sdar.py.
"""

from engine.families.blockwise import BlockLayout, blockwise
from engine.families.codec import codec_of
from engine.families.folder import Folder
from engine.families.stack import StackPlan, shape_of

_CONFIDENT = 0.85
_MASK = 151669


def claims(folder: Folder) -> bool:
    """Is this one of these checkpoints?"""
    return folder.architecture == "SDARForCausalLM" and "block_size" in folder.config


def plan(folder: Folder) -> StackPlan:
    """Raises CheckpointError."""
    codec = codec_of(folder)
    layout = BlockLayout(
        block=folder.number("block_size"),
        mask=codec.mask(folder.config, _MASK),
        end=codec.end(folder.config),
    )
    return blockwise(folder, codec, shape_of(folder, qk_norm=True), layout, _CONFIDENT)
