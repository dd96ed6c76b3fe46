"""LLaDA2: experts chosen by groups, half of each head turned, seeing in blocks.

LLaDA2.1 was also trained to replace tokens that it wrote before, and does. 2.2 can insert and
delete; here it replaces only. All have the same config, so the name tells them apart.

Checkpoints: inclusionAI/LLaDA2.0-mini, -flash, LLaDA2.1-mini, -flash, LLaDA2.2-flash.
Source: modeling_llada2_moe.py of the checkpoints; github.com/inclusionAI/LLaDA2.X, tech_report.pdf;
LLaDA2.1's thresholds are those its authors give for quality.
"""

from collections.abc import Callable
from dataclasses import replace

from engine.errors import CheckpointError
from engine.families.blockwise import BlockLayout, Edits, blockwise
from engine.families.codec import codec_of
from engine.families.experts import Routing
from engine.families.folder import Folder, Rows
from engine.families.model import Plan
from engine.families.stack import shape_of
from engine.families.transformer import Shape

_BLOCK = 32
_CONFIDENT, _CONFIDENT_WITH_EDITS = 0.95, 0.7
_EDITS = Edits(confident=0.5, polish=16)
_EDITORS = ("llada2.1", "llada2.2")
_MASK, _END = 156895, 156892
_PARTS = {
    "self_attn.o_proj.weight": "attention.dense.weight",
    "self_attn.q_norm.weight": "attention.query_layernorm.weight",
    "self_attn.k_norm.weight": "attention.key_layernorm.weight",
}


def claims(folder: Folder) -> bool:
    """Is this one of these checkpoints?"""
    return folder.architecture == "LLaDA2MoeModelLM"


def plan(folder: Folder) -> Plan:
    """Raises CheckpointError."""
    codec, shape = codec_of(folder), _shape(folder)
    if folder.config.get("score_function", "sigmoid") != "sigmoid":
        raise CheckpointError(f"{folder.path}: experts are not scored by sigmoid, unknown here")
    end = folder.config.get("eos_token_id")
    layout = BlockLayout(
        block=int(folder.config.get("block_size") or _BLOCK),
        mask=codec.mask(folder.config, _MASK),
        end=end if isinstance(end, int) else codec.specials.get("<|endoftext|>", _END),
    )
    if any(name in folder.names for name in _EDITORS):
        made = blockwise(folder, codec, shape, layout, _CONFIDENT_WITH_EDITS, _EDITS)
    else:
        made = blockwise(folder, codec, shape, layout, _CONFIDENT)
    return replace(made, named=_names(shape))


def _shape(folder: Folder) -> Shape:
    config, hidden = folder.config, folder.number("moe_intermediate_size")
    routing = Routing(
        count=folder.number("num_experts"),
        chosen=folder.number("num_experts_per_tok"),
        hidden=hidden,
        shared=hidden * int(config.get("num_shared_experts") or 0),
        score="sigmoid",
        normalised=folder.number("num_experts_per_tok") > 1,
        scale=float(config.get("routed_scaling_factor", 2.5)),
        biased=True,
        groups=int(config.get("n_group", 8)),
        open=int(config.get("topk_group", 4)),
    )
    attention = shape_of(
        folder,
        qkv_bias=bool(config.get("use_qkv_bias", False)),
        qk_norm=bool(config.get("use_qk_norm", True)),
    )
    return replace(
        attention,
        turned=float(config.get("partial_rotary_factor", 0.5)),
        routing=routing,
        dense=int(config.get("first_k_dense_replace", 0)),
    )


def _names(shape: Shape) -> Callable[[str], str | Rows]:
    """Queries, keys and values are rows of one matrix, in that order."""
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    ends = {"q": (0, queries), "k": (queries, queries + keys)}
    ends["v"] = (queries + keys, queries + 2 * keys)

    def named(parameter: str) -> str | Rows:
        if parameter == "embed_tokens.weight":
            return "model.word_embeddings.weight"
        if parameter.startswith("lm_head."):
            return parameter
        if not parameter.startswith("layers."):
            return f"model.{parameter}"
        _, layer, rest = parameter.split(".", 2)
        at = f"model.layers.{layer}"
        if rest.startswith("self_attn.") and "_proj." in rest and "o_proj" not in rest:
            part, kind = rest.removeprefix("self_attn.").split("_proj.")
            return Rows(f"{at}.attention.query_key_value.{kind}", *ends[part])
        return f"{at}.{_PARTS.get(rest, rest)}"

    return named
