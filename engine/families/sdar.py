"""SDAR: Qwen3, or Qwen3 with experts, that sees in blocks, of a size that its config says.

Checkpoints: JetLM/SDAR-1.7B-Chat, -4B-Chat, -8B-Chat, -30B-A3B-Chat and their variants with blocks
of 8 to 64.
Source: github.com/JetAstra/SDAR, generate.py and modeling_sdar.py.
"""

from dataclasses import replace

from engine.errors import CheckpointError
from engine.families.blockwise import BlockLayout, blockwise
from engine.families.codec import codec_of
from engine.families.experts import Routing
from engine.families.folder import Folder
from engine.families.stack import StackPlan, shape_of
from engine.families.transformer import Shape

_CONFIDENT = 0.85
_MASK = 151669
_WITH_EXPERTS = "SDARMoeForCausalLM"


def claims(folder: Folder) -> bool:
    """Is this one of these checkpoints?"""
    names = ("SDARForCausalLM", _WITH_EXPERTS)
    return folder.architecture in names and "block_size" in folder.config


def plan(folder: Folder) -> StackPlan:
    """Raises CheckpointError."""
    codec = codec_of(folder)
    layout = BlockLayout(
        block=folder.number("block_size"),
        mask=codec.mask(folder.config, _MASK),
        end=codec.end(folder.config),
    )
    return blockwise(folder, codec, _shape(folder), layout, _CONFIDENT)


def _shape(folder: Folder) -> Shape:
    if folder.architecture != _WITH_EXPERTS:
        return shape_of(folder, qk_norm=True)
    config = folder.config
    if config.get("mlp_only_layers") or config.get("decoder_sparse_step", 1) != 1:
        raise CheckpointError(f"{folder.path}: only some layers have experts, unknown here")
    routing = Routing(
        count=folder.number("num_experts"),
        chosen=folder.number("num_experts_per_tok"),
        hidden=folder.number("moe_intermediate_size"),
        normalised=bool(config.get("norm_topk_prob", False)),
    )
    shape = shape_of(folder, qk_norm=True, hidden="moe_intermediate_size")
    return replace(shape, routing=routing)
