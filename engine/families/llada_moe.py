"""LLaDA-MoE: Qwen3's attention, both ways, and experts as OLMoE has them.

Checkpoints: inclusionAI/LLaDA-MoE-7B-A1B-Base and -Instruct.
Source: modeling_lladamoe.py of the checkpoints; sampled as LLaDA.
"""

from typing import Any

from engine.device import Placement
from engine.errors import CheckpointError
from engine.families.codec import FolderCodec
from engine.families.experts import Routing
from engine.families.folder import Folder
from engine.families.full import FullAttention
from engine.families.masked import masked
from engine.families.stack import load_stack, rope_base
from engine.families.transformer import Shape

_MASK = 156895
_UNKNOWN = ("clip_qkv", "moe_router_enable_expert_bias", "shared_expert_intermediate_size")
"""The config has words for these, and no published checkpoint says them."""


def claims(folder: Folder) -> bool:
    """Is this one of these checkpoints?"""
    names = ("LLaDAMoEModel", "LLaDAMoEModelLM")
    return folder.architecture in names and "expert_intermediate_size" in folder.config


def load(folder: Folder, placement: Placement) -> FullAttention:
    """Raises CheckpointError."""
    for key in _UNKNOWN:
        if folder.config.get(key):
            raise CheckpointError(f"{folder.path}: config.json sets {key}, unknown here")
    codec, shape = FolderCodec(folder), _shape(folder)
    mask = codec.mask(folder.config, _MASK)
    codec.refuse_unless_within(shape.vocabulary, mask)
    stack = load_stack(folder, shape, placement)
    return masked(folder, placement, stack, codec, mask)


def _shape(folder: Folder) -> Shape:
    config, heads = folder.config, folder.number("num_attention_heads")
    width = folder.number("hidden_size")
    routing = Routing(
        count=folder.number("num_experts"),
        chosen=folder.number("num_experts_per_tok"),
        hidden=folder.number("expert_intermediate_size"),
    )
    return Shape(
        vocabulary=folder.number("vocab_size"),
        width=width,
        layers=folder.number("num_hidden_layers"),
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_size=width // heads,
        hidden=folder.number("dense_intermediate_size"),
        rope_base=rope_base(folder),
        epsilon=float(config.get("rms_norm_eps", 1e-5)),
        qkv_bias=bool(config.get("attention_bias", False)),
        qk_norm=bool(config.get("qk_layernorm", False)),
        tied=bool(config.get("tie_word_embeddings", False)),
        routing=routing,
        dense=_dense(folder, config.get("moe_layer_freq")),
    )


def _dense(folder: Folder, experts: Any) -> int:  # noqa: ANN401 - JSON
    """How many layers come before the first with experts; they must all be at the front."""
    kinds = [bool(one) for one in experts] if isinstance(experts, list) else []
    if not kinds or kinds != sorted(kinds):
        raise CheckpointError(
            f"{folder.path}: moe_layer_freq in config.json is {experts}, this engine knows layers"
            " with experts behind those without only"
        )
    return kinds.count(False)
