"""LLaDA-MoE: Qwen3's attention, both ways, and experts as OLMoE has them.

Checkpoints: inclusionAI/LLaDA-MoE-7B-A1B-Base and -Instruct.
Source: modeling_lladamoe.py of the checkpoints; sampled as LLaDA.
"""

from dataclasses import replace
from typing import Any

from engine.errors import CheckpointError
from engine.families.experts import Routing
from engine.families.folder import Folder
from engine.families.masked import masked
from engine.families.model import Plan
from engine.families.stack import shape_of
from engine.families.transformer import Shape

_MASK = 156895
_UNKNOWN = ("clip_qkv", "moe_router_enable_expert_bias", "shared_expert_intermediate_size")
"""The config has words for these, and no published checkpoint says them."""


def claims(folder: Folder) -> bool:
    """Is this one of these checkpoints?"""
    names = ("LLaDAMoEModel", "LLaDAMoEModelLM")
    return folder.architecture in names and "expert_intermediate_size" in folder.config


def plan(folder: Folder) -> Plan:
    """Raises CheckpointError."""
    for key in _UNKNOWN:
        if folder.config.get(key):
            raise CheckpointError(f"{folder.path}: config.json sets {key}, unknown here")
    return masked(folder, _shape(folder), _MASK)


def _shape(folder: Folder) -> Shape:
    config = folder.config
    attention = shape_of(
        folder,
        qkv_bias=bool(config.get("attention_bias", False)),
        qk_norm=bool(config.get("qk_layernorm", False)),
        hidden="dense_intermediate_size",
    )
    routing = Routing(
        count=folder.number("num_experts"),
        chosen=folder.number("num_experts_per_tok"),
        hidden=folder.number("expert_intermediate_size"),
    )
    return replace(attention, routing=routing, dense=_dense(folder, config.get("moe_layer_freq")))


def _dense(folder: Folder, experts: Any) -> int:  # noqa: ANN401 - JSON
    """How many layers come before the first with experts; they must all be at the front."""
    kinds = [bool(one) for one in experts] if isinstance(experts, list) else []
    if not kinds or kinds != sorted(kinds):
        raise CheckpointError(
            f"{folder.path}: moe_layer_freq in config.json is {experts}, this engine knows layers"
            " with experts behind those without only"
        )
    return kinds.count(False)
