"""The tensors in folders of other people's models, with random weights."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]
"""Of each tensor, by its name."""


def drawn(shapes: Shapes, seed: int = 0) -> dict[str, Tensor]:
    """Random weights, wide enough for opinions; what is a norm is near 1."""
    noise = torch.Generator().manual_seed(seed)

    def one(name: str, shape: tuple[int, ...]) -> Tensor:
        if len(shape) > 1:
            return torch.randn(shape, generator=noise) * 1.5 * shape[-1] ** -0.5
        return (0.0 if "bias" in name else 1.0) + 0.3 * torch.randn(shape, generator=noise)

    return {name: one(name, shape) for name, shape in shapes.items()}


def llama_shapes(config: Mapping[str, Any], *, bias: bool = False, norm: bool = False) -> Shapes:
    """Llama's tensors; Qwen2's with bias, Qwen3's with norms."""
    width, hidden = config["hidden_size"], config["intermediate_size"]
    shapes = _outer(config, "embed_tokens")
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        shapes |= _attention(config, at, bias=bias, norm=norm) | _norms(at, width)
        shapes |= _gated(f"{at}.mlp", width, hidden)
    return shapes


def starcoder2_shapes(config: Mapping[str, Any]) -> Shapes:
    """StarCoder2's tensors: a bias everywhere."""
    width, hidden = config["hidden_size"], config["intermediate_size"]
    shapes = _outer(config, "embed_tokens") | {"model.norm.bias": (width,)}
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        norms = _norms(at, width)
        shapes |= _attention(config, at, bias=True, norm=False) | norms
        shapes |= {name.replace("weight", "bias"): shape for name, shape in norms.items()}
        shapes[f"{at}.self_attn.o_proj.bias"] = (width,)
        shapes |= {f"{at}.mlp.c_fc.weight": (hidden, width), f"{at}.mlp.c_fc.bias": (hidden,)}
        shapes |= {f"{at}.mlp.c_proj.weight": (width, hidden), f"{at}.mlp.c_proj.bias": (width,)}
    return shapes


def llada_shapes(config: Mapping[str, Any]) -> Shapes:
    """LLaDA 8B's tensors."""
    at, width, hidden = "model.transformer", config["d_model"], config["mlp_hidden_size"]
    rows = config["embedding_size"]
    shapes = {f"{at}.wte.weight": (rows, width), f"{at}.ln_f.weight": (width,)}
    shapes[f"{at}.ff_out.weight"] = (rows, width)
    for layer in range(config["n_layers"]):
        block = f"{at}.blocks.{layer}"
        shapes |= {
            f"{block}.{n}.weight": (width, width)
            for n in ("q_proj", "k_proj", "v_proj", "attn_out")
        }
        shapes |= {f"{block}.{n}.weight": (width,) for n in ("attn_norm", "ff_norm")}
        shapes |= {f"{block}.{n}.weight": (hidden, width) for n in ("ff_proj", "up_proj")}
        shapes[f"{block}.ff_out.weight"] = (width, hidden)
    return shapes


def qwen3_moe_shapes(config: Mapping[str, Any]) -> Shapes:
    """Qwen3's with experts in every layer."""
    names = {"expert_intermediate_size": config["moe_intermediate_size"]}
    names["moe_layer_freq"] = [1] * config["num_hidden_layers"]
    return llada_moe_shapes({**config, **names})


def llada_moe_shapes(config: Mapping[str, Any]) -> Shapes:
    """LLaDA-MoE's tensors."""
    width, experts = config["hidden_size"], config["num_experts"]
    shapes = _outer(config, "embed_tokens")
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        shapes |= _attention(config, at, bias=False, norm=True) | _norms(at, width)
        if not config["moe_layer_freq"][layer]:
            shapes |= _gated(f"{at}.mlp", width, config["dense_intermediate_size"])
            continue
        shapes[f"{at}.mlp.gate.weight"] = (experts, width)
        for expert in range(experts):
            hidden = config["expert_intermediate_size"]
            shapes |= _gated(f"{at}.mlp.experts.{expert}", width, hidden)
    return shapes


def llada2_shapes(config: Mapping[str, Any]) -> Shapes:
    """LLaDA2's tensors."""
    width, size, experts = config["hidden_size"], config["head_dim"], config["num_experts"]
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    shapes = _outer(config, "word_embeddings")
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        shapes |= _norms(at, width)
        shapes[f"{at}.attention.query_key_value.weight"] = ((heads + 2 * groups) * size, width)
        shapes[f"{at}.attention.dense.weight"] = (width, heads * size)
        shapes |= {f"{at}.attention.{n}_layernorm.weight": (size,) for n in ("query", "key")}
        if layer < config["first_k_dense_replace"]:
            shapes |= _gated(f"{at}.mlp", width, config["intermediate_size"])
            continue
        hidden = config["moe_intermediate_size"]
        shapes[f"{at}.mlp.gate.weight"] = (experts, width)
        shapes[f"{at}.mlp.gate.expert_bias"] = (experts,)
        shapes |= _gated(f"{at}.mlp.shared_experts", width, hidden * config["num_shared_experts"])
        for expert in range(experts):
            shapes |= _gated(f"{at}.mlp.experts.{expert}", width, hidden)
    return shapes


def gemma_shapes(config: Mapping[str, Any]) -> Shapes:
    """DiffusionGemma's tensors, by its text_config, eyes left aside."""
    width, hidden, experts = (
        config["hidden_size"],
        config["intermediate_size"],
        config["num_experts"],
    )
    inside = config["moe_intermediate_size"]
    gated = {"gate_proj.weight": (hidden, width), "up_proj.weight": (hidden, width)}
    gated["down_proj.weight"] = (width, hidden)
    at = "model.decoder"
    found: dict[str, tuple[int, ...]] = {f"{at}.norm.weight": (width,)}
    found[f"{at}.embed_tokens.weight"] = (config["vocab_size"], width)
    found[f"{at}.self_conditioning.pre_norm.weight"] = (width,)
    found |= {f"{at}.self_conditioning.{name}": shape for name, shape in gated.items()}
    norms = ("input", "post_attention", "pre_feedforward", "post_feedforward")
    names = [f"{name}_layernorm" for name in norms]
    names += ["post_feedforward_layernorm_1", "post_feedforward_layernorm_2"]
    names += ["pre_feedforward_layernorm_2"]
    for layer, kind in enumerate(config["layer_types"]):
        here = f"{at}.layers.{layer}"
        found |= {f"{here}.{name}.weight": (width,) for name in names}
        found |= {f"{here}.mlp.{name}": shape for name, shape in gated.items()}
        found |= _gemma_attention(config, here, kind)
        found[f"{here}.router.proj.weight"] = (experts, width)
        found[f"{here}.router.scale"] = (width,)
        found[f"{here}.router.per_expert_scale"] = (experts,)
        found[f"{here}.experts.gate_up_proj"] = (experts, 2 * inside, width)
        found[f"{here}.experts.down_proj"] = (experts, width, inside)
        found[f"{here}.layer_scalar"] = (1,)
        found[f"model.encoder.language_model.layers.{layer}.layer_scalar"] = (1,)
    return found


def _gemma_attention(config: Mapping[str, Any], here: str, kind: str) -> dict[str, tuple[int, ...]]:
    size, groups = _gemma_heads(config, kind)
    width, rows = config["hidden_size"], config["num_attention_heads"] * size
    at = f"{here}.self_attn"
    found: dict[str, tuple[int, ...]] = {f"{at}.{name}_norm.weight": (size,) for name in "qk"}
    found[f"{at}.q_proj.weight"], found[f"{at}.o_proj.weight"] = (rows, width), (width, rows)
    for name in "kv" if kind == "sliding_attention" else "k":
        found[f"{at}.{name}_proj.weight"] = (groups * size, width)
    return found


def _gemma_heads(config: Mapping[str, Any], kind: str) -> tuple[int, int]:
    if kind == "sliding_attention":
        return config["head_dim"], config["num_key_value_heads"]
    return config["global_head_dim"], config["num_global_key_value_heads"]


def _outer(config: Mapping[str, Any], embedding: str) -> dict[str, tuple[int, ...]]:
    rows, width = config["vocab_size"], config["hidden_size"]
    shapes: dict[str, tuple[int, ...]] = {
        f"model.{embedding}.weight": (rows, width),
        "model.norm.weight": (width,),
    }
    return (
        shapes if config.get("tie_word_embeddings") else shapes | {"lm_head.weight": (rows, width)}
    )


def _attention(
    config: Mapping[str, Any], at: str, *, bias: bool, norm: bool
) -> dict[str, tuple[int, ...]]:
    width, heads = config["hidden_size"], config["num_attention_heads"]
    size = config.get("head_dim") or width // heads
    rows = {"q": heads * size, "k": config["num_key_value_heads"] * size}
    rows["v"] = rows["k"]
    shapes: dict[str, tuple[int, ...]] = {f"{at}.self_attn.o_proj.weight": (width, heads * size)}
    shapes |= {f"{at}.self_attn.{n}_proj.weight": (count, width) for n, count in rows.items()}
    if bias:
        shapes |= {f"{at}.self_attn.{n}_proj.bias": (count,) for n, count in rows.items()}
    if norm:
        shapes |= {f"{at}.self_attn.{n}_norm.weight": (size,) for n in "qk"}
    return shapes


def _norms(at: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{at}.{n}_layernorm.weight": (width,) for n in ("input", "post_attention")}


def _gated(at: str, width: int, hidden: int) -> dict[str, tuple[int, ...]]:
    shapes = {f"{at}.{n}_proj.weight": (hidden, width) for n in ("gate", "up")}
    return shapes | {f"{at}.down_proj.weight": (width, hidden)}
