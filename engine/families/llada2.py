"""LLaDA2: experts chosen by groups, half of each head turned, seeing in blocks.

LLaDA2.1 was also trained to replace tokens that it wrote before, and does; 2.2 to delete and insert
them too (`engine/edits.py`), and its blocks choose experts together. 2.0 and 2.1 have the same
config, so the name tells them apart.

Checkpoints: inclusionAI/LLaDA2.0-mini, -flash, LLaDA2.1-mini, -flash, LLaDA2.2-mini, -flash.
Sources: modeling_llada2_moe.py of the checkpoints; the reports in github.com/inclusionAI/LLaDA2.X.
LLaDA2.1's thresholds are those its authors give for quality, 2.2's those of its generate, of which
the parts that matter are told again in FluxServe's and SGLang's (pull request 31773) decoders.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from engine.edits import STEPS, Levenshtein
from engine.errors import CheckpointError
from engine.families.blockwise import BlockLayout, Edits, blockwise
from engine.families.codec import codec_of
from engine.families.experts import Routing
from engine.families.folder import Folder, Rows
from engine.families.ids import OFFSET
from engine.families.model import Plan
from engine.families.stack import StackPlan, shape_of
from engine.families.transformer import Shape

_BLOCK = 32
_CONFIDENT, _CONFIDENT_WITH_EDITS = 0.95, 0.7
_EDITS = Edits(confident=0.5, polish=16)
_REWRITER, _EDITOR = "llada2.1", "llada2.2"
_BOLD, _BOLD_EDITS = 0.5, Edits(confident=0.0, polish=16)
_DELETE, _INSERT = 156930, 156931
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
        block=folder.number("block_size", _BLOCK),
        mask=codec.mask(folder.config, _MASK),
        end=end if isinstance(end, int) else codec.specials.get("<|endoftext|>", _END),
    )
    if _EDITOR in folder.names or "split_token_id" in folder.config:
        made = _editing(folder, blockwise(folder, codec, shape, layout, _BOLD, _BOLD_EDITS))
    elif _REWRITER in folder.names:
        made = blockwise(folder, codec, shape, layout, _CONFIDENT_WITH_EDITS, _EDITS)
    else:
        made = blockwise(folder, codec, shape, layout, _CONFIDENT)
    return replace(made, named=_names(shape))


def _editing(folder: Folder, made: StackPlan) -> StackPlan:
    """The plan, of a model that deletes and inserts. Raises CheckpointError."""
    delete = int(folder.config.get("delete_token_id", _DELETE))
    insert = int(folder.config.get("split_token_id", _INSERT))
    if max(delete, insert) >= made.shape.vocabulary:
        raise CheckpointError(
            f"{folder.path}: the model has {made.shape.vocabulary} tokens, and none that are"
            f" {delete} and {insert}, by which it would delete and insert"
        )
    made.codec.mute(delete, insert)
    lengths = partial(Levenshtein, OFFSET + delete, OFFSET + insert)
    rule = replace(made.filling.rule, passes=STEPS + _BOLD_EDITS.polish)
    return replace(made, filling=replace(made.filling, lengths=lengths, rule=rule))


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
        block=folder.number("block_size", _BLOCK),
        pool=int(config.get("expert_capacity") or 0),
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
