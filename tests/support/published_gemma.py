"""What DiffusionGemma computes, written down again from transformers' `modular_diffusion_gemma.py`.

Slow and plain on purpose, on the tensors as a folder names them, and nothing from `engine`.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

Weights = Mapping[str, Tensor]
Config = Mapping[str, Any]
Memory = list[tuple[list[Tensor], list[Tensor]]]
"""Of each layer: keys and values [T, E] of each head."""


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """The tensors of a folder, eyes left aside."""
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
        found |= _attention_shapes(config, here, kind)
        found[f"{here}.router.proj.weight"] = (experts, width)
        found[f"{here}.router.scale"] = (width,)
        found[f"{here}.router.per_expert_scale"] = (experts,)
        found[f"{here}.experts.gate_up_proj"] = (experts, 2 * inside, width)
        found[f"{here}.experts.down_proj"] = (experts, width, inside)
        found[f"{here}.layer_scalar"] = (1,)
        found[f"model.encoder.language_model.layers.{layer}.layer_scalar"] = (1,)
    return found


def _attention_shapes(config: Config, here: str, kind: str) -> dict[str, tuple[int, ...]]:
    size, groups = _heads(config, kind)
    width, rows = config["hidden_size"], config["num_attention_heads"] * size
    at = f"{here}.self_attn"
    found: dict[str, tuple[int, ...]] = {f"{at}.{name}_norm.weight": (size,) for name in "qk"}
    found[f"{at}.q_proj.weight"], found[f"{at}.o_proj.weight"] = (rows, width), (width, rows)
    for name in "kv" if kind == "sliding_attention" else "k":
        found[f"{at}.{name}_proj.weight"] = (groups * size, width)
    return found


def logits(weights: Weights, config: Config, context_T: Tensor, canvas_C: Tensor) -> Tensor:
    """Logits [C, V] of a canvas in its first pass, on top of a context."""
    memory: Memory = []
    x_TD = _embedded(weights, config, context_T)
    for layer in range(len(config["layer_types"])):
        scalar = weights[f"model.encoder.language_model.layers.{layer}.layer_scalar"]
        x_TD = _layer(weights, config, layer, x_TD, 0, memory, None) * scalar
    x_CD = _embedded(weights, config, canvas_C)
    nothing_CD = _gated(weights, "model.decoder.self_conditioning", torch.zeros_like(x_CD))
    x_CD = _rms(x_CD + nothing_CD, None, config)
    for layer in range(len(config["layer_types"])):
        scalar = weights[f"model.decoder.layers.{layer}.layer_scalar"]
        x_CD = _layer(weights, config, layer, x_CD, len(context_T), memory, layer) * scalar
    x_CD = _rms(x_CD, weights["model.decoder.norm.weight"], config)
    cap = config["final_logit_softcapping"]
    return torch.tanh(x_CD @ weights["model.decoder.embed_tokens.weight"].T / cap) * cap


def _layer(
    weights: Weights,
    config: Config,
    layer: int,
    x_TD: Tensor,
    start: int,
    memory: Memory,
    recalled: int | None,
) -> Tensor:
    at = f"model.decoder.layers.{layer}"

    def norm(name: str, y_TD: Tensor) -> Tensor:
        return _rms(y_TD, weights[f"{at}.{name}.weight"], config)

    h_TD = norm("input_layernorm", x_TD)
    mixed = _attention(weights, config, layer, h_TD, start, memory, recalled)
    x_TD = x_TD + norm("post_attention_layernorm", mixed)
    fed = _gated(weights, f"{at}.mlp", norm("pre_feedforward_layernorm", x_TD))
    chosen = [
        _experts(weights, config, at, x_D, h_D)
        for x_D, h_D in zip(x_TD, norm("pre_feedforward_layernorm_2", x_TD), strict=True)
    ]
    both = norm("post_feedforward_layernorm_1", fed)
    both = both + norm("post_feedforward_layernorm_2", torch.stack(chosen))
    return x_TD + norm("post_feedforward_layernorm", both)


def _attention(
    weights: Weights,
    config: Config,
    layer: int,
    h_TD: Tensor,
    start: int,
    memory: Memory,
    recalled: int | None,
) -> Tensor:
    """Of context, if nothing is recalled, which is then remembered; else of a canvas."""
    at, kind = f"model.decoder.layers.{layer}.self_attn", config["layer_types"][layer]
    size, _ = _heads(config, kind)
    rope = config["rope_parameters"][kind]

    def parts(name: str) -> list[Tensor]:
        return list((h_TD @ weights[f"{at}.{name}_proj.weight"].T).split(size, 1))

    def placed(heads: list[Tensor], name: str) -> list[Tensor]:
        normed = [_rms(head, weights[f"{at}.{name}_norm.weight"], config) for head in heads]
        return [_turned(head, start, rope, size) for head in normed]

    queries, keys = placed(parts("q"), "q"), placed(parts("k"), "k")
    plain = parts("v") if f"{at}.v_proj.weight" in weights else parts("k")
    values = [_rms(head, None, config) for head in plain]
    window = config["sliding_window"] if kind == "sliding_attention" else 10**9
    if recalled is None:
        memory.append((keys, values))
        apart = torch.arange(len(h_TD))[:, None] - torch.arange(len(h_TD))
        seen = (apart >= 0) & (apart < window)
    else:
        near = max(0, start - window + 1)
        old_keys, old_values = memory[recalled]
        keys = [torch.cat([old[near:], new]) for old, new in zip(old_keys, keys, strict=True)]
        values = [torch.cat([old[near:], new]) for old, new in zip(old_values, values, strict=True)]
        seen = torch.ones(len(h_TD), len(keys[0]), dtype=torch.bool)
    mixed = _mixed(queries, keys, values, seen)
    return torch.cat(mixed, 1) @ weights[f"{at}.o_proj.weight"].T


def _mixed(
    queries: list[Tensor], keys: list[Tensor], values: list[Tensor], seen: Tensor
) -> list[Tensor]:
    share = len(queries) // len(keys)
    return [
        torch.softmax((q @ key.T).masked_fill(~seen, -math.inf), 1) @ value
        for head, q in enumerate(queries)
        for key, value in [(keys[head // share], values[head // share])]
    ]


def _experts(weights: Weights, config: Config, at: str, x_D: Tensor, h_D: Tensor) -> Tensor:
    """Chosen by the token before the norm, applied to it after."""
    scaled = _rms(x_D, None, config) * weights[f"{at}.router.scale"] / math.sqrt(len(x_D))
    chances = torch.softmax(weights[f"{at}.router.proj.weight"] @ scaled, 0)
    best = chances.argsort(descending=True)[: config["top_k_experts"]].tolist()
    total = torch.zeros_like(h_D)
    for expert in best:
        gate, up = (weights[f"{at}.experts.gate_up_proj"][expert] @ h_D).chunk(2)
        out = weights[f"{at}.experts.down_proj"][expert] @ (_gelu(gate) * up)
        scale = weights[f"{at}.router.per_expert_scale"][expert]
        total = total + chances[expert] / chances[best].sum() * scale * out
    return total


def _heads(config: Config, kind: str) -> tuple[int, int]:
    if kind == "sliding_attention":
        return config["head_dim"], config["num_key_value_heads"]
    return config["global_head_dim"], config["num_global_key_value_heads"]


def _turned(x_TE: Tensor, start: int, rope: Mapping[str, Any], size: int) -> Tensor:
    """Of the pairs (i, i + size/2), the first share turns, at the speeds of a whole head."""
    half = size // 2
    turning = int(rope.get("partial_rotary_factor", 1.0) * size // 2)
    speed = rope["rope_theta"] ** (-2 * torch.arange(half) / size)
    speed[turning:] = 0
    angle = (start + torch.arange(len(x_TE)))[:, None] * speed
    pairs = torch.complex(x_TE[:, :half], x_TE[:, half:]) * torch.polar(torch.ones(1), angle)
    return torch.cat([pairs.real, pairs.imag], 1)


def _embedded(weights: Weights, config: Config, tokens: Tensor) -> Tensor:
    return weights["model.decoder.embed_tokens.weight"][tokens] * math.sqrt(config["hidden_size"])


def _gated(weights: Weights, at: str, x: Tensor) -> Tensor:
    gate = _gelu(x @ weights[f"{at}.gate_proj.weight"].T)
    return (gate * (x @ weights[f"{at}.up_proj.weight"].T)) @ weights[f"{at}.down_proj.weight"].T


def _gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _rms(x: Tensor, weight: Tensor | None, config: Config) -> Tensor:
    normed = x / (x.square().mean(-1, keepdim=True) + config["rms_norm_eps"]).sqrt()
    return normed if weight is None else normed * weight
