"""What other people's models compute, written down again from what they published.

Slow and plain on purpose: one head, one expert, one layer at a time, on the tensors as they are
named in a folder, and nothing from `engine`. Each gives logits [T, V] for tokens [T].

`seen_TT` is bool: may the token of a row see that of a column?
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

Weights = Mapping[str, Tensor]
Config = Mapping[str, Any]


def full(tokens: int) -> Tensor:
    """Everything sees everything."""
    return torch.ones(tokens, tokens, dtype=torch.bool)


def block_causal(tokens: int, block: int) -> Tensor:
    """A token sees its own block and those before it."""
    number = torch.arange(tokens) // block
    return number[:, None] >= number


def llama(weights: Weights, config: Config, tokens_T: Tensor, seen_TT: Tensor) -> Tensor:
    """Llama, Qwen2 (bias on queries, keys and values) and Qwen3 (norms on queries and keys)."""
    x_TD = weights["model.embed_tokens.weight"][tokens_T]
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        x_TD = _qwen_attention(weights, config, at, x_TD, seen_TT)
        h_TD = _rms(x_TD, weights[f"{at}.post_attention_layernorm.weight"], config["rms_norm_eps"])
        x_TD = x_TD + _gated(weights, f"{at}.mlp", h_TD)
    return _head(weights, config, x_TD)


def llada_moe(weights: Weights, config: Config, tokens_T: Tensor) -> Tensor:
    """LLaDA-MoE: Qwen3's attention both ways; softmax, then the best experts, not normalised."""
    return qwen3_moe(weights, config, tokens_T, full(len(tokens_T)))


def qwen3_moe(weights: Weights, config: Config, tokens_T: Tensor, seen_TT: Tensor) -> Tensor:
    """Qwen3 with experts: softmax, then the best of them, their weights to sum 1 if so told."""
    x_TD = weights["model.embed_tokens.weight"][tokens_T]
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        x_TD = _qwen_attention(weights, config, at, x_TD, seen_TT)
        h_TD = _rms(x_TD, weights[f"{at}.post_attention_layernorm.weight"], config["rms_norm_eps"])
        if "moe_layer_freq" in config and not config["moe_layer_freq"][layer]:
            x_TD = x_TD + _gated(weights, f"{at}.mlp", h_TD)
            continue
        rows: list[Tensor] = []
        for h_D in h_TD:
            chances = torch.softmax(weights[f"{at}.mlp.gate.weight"] @ h_D, 0)
            best = chances.argsort(descending=True)[: config["num_experts_per_tok"]].tolist()
            chances = chances / (chances[best].sum() if config.get("norm_topk_prob") else 1)
            rows.append(
                torch.stack(
                    [chances[i] * _gated(weights, f"{at}.mlp.experts.{i}", h_D) for i in best]
                ).sum(0)
            )
        x_TD = x_TD + torch.stack(rows)
    return _head(weights, config, x_TD)


def llada(weights: Weights, config: Config, tokens_T: Tensor) -> Tensor:
    """LLaDA 8B: OLMo's names, Llama's block, attention both ways."""
    at = "model.transformer"
    size, heads = config["d_model"] // config["n_heads"], config["n_heads"]
    x_TD = weights[f"{at}.wte.weight"][tokens_T]
    for layer in range(config["n_layers"]):
        block = f"{at}.blocks.{layer}"
        h_TD = _rms(x_TD, weights[f"{block}.attn_norm.weight"], config["rms_norm_eps"])
        q_TX, k_TX, v_TX = (h_TD @ weights[f"{block}.{name}_proj.weight"].T for name in "qkv")
        mixed = _attend(
            [_turned(q, config["rope_theta"], size) for q in q_TX.split(size, 1)],
            [_turned(k, config["rope_theta"], size) for k in k_TX.split(size, 1)],
            list(v_TX.split(size, 1)),
            full(len(tokens_T)),
        )
        assert len(mixed) == heads
        x_TD = x_TD + torch.cat(mixed, 1) @ weights[f"{block}.attn_out.weight"].T
        h_TD = _rms(x_TD, weights[f"{block}.ff_norm.weight"], config["rms_norm_eps"])
        gate = h_TD @ weights[f"{block}.ff_proj.weight"].T
        up = h_TD @ weights[f"{block}.up_proj.weight"].T
        x_TD = x_TD + (gate * gate.sigmoid() * up) @ weights[f"{block}.ff_out.weight"].T
    x_TD = _rms(x_TD, weights[f"{at}.ln_f.weight"], config["rms_norm_eps"])
    name = "wte" if config["weight_tying"] else "ff_out"
    return x_TD @ weights[f"{at}.{name}.weight"].T


def llada2(weights: Weights, config: Config, tokens_T: Tensor, seen_TT: Tensor) -> Tensor:
    """LLaDA2: one matrix for queries, keys and values, half a head turned, a shared expert."""
    size, heads = config["head_dim"], config["num_attention_heads"]
    groups = config["num_key_value_heads"]
    turned = int(size * config["partial_rotary_factor"])
    epsilon = config["rms_norm_eps"]
    x_TD = weights["model.word_embeddings.weight"][tokens_T]
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        h_TD = _rms(x_TD, weights[f"{at}.input_layernorm.weight"], epsilon)
        parts = (h_TD @ weights[f"{at}.attention.query_key_value.weight"].T).split(size, 1)
        q_norm, k_norm = (weights[f"{at}.attention.{n}_layernorm.weight"] for n in ("query", "key"))
        queries = [_rms(part, q_norm, epsilon) for part in parts[:heads]]
        keys = [_rms(part, k_norm, epsilon) for part in parts[heads : heads + groups]]
        mixed = _attend(
            [_turned(q, config["rope_theta"], turned) for q in queries],
            [_turned(k, config["rope_theta"], turned) for k in keys],
            list(parts[heads + groups :]),
            seen_TT,
        )
        x_TD = x_TD + torch.cat(mixed, 1) @ weights[f"{at}.attention.dense.weight"].T
        h_TD = _rms(x_TD, weights[f"{at}.post_attention_layernorm.weight"], epsilon)
        if layer < config["first_k_dense_replace"]:
            x_TD = x_TD + _gated(weights, f"{at}.mlp", h_TD)
        else:
            wanted_TP = _llada2_wanted(weights, config, at, h_TD)
            chosen = torch.stack(
                [
                    _llada2_experts(weights, config, at, h_D, wanted_P)
                    for h_D, wanted_P in zip(h_TD, wanted_TP, strict=True)
                ]
            )
            x_TD = x_TD + chosen + _gated(weights, f"{at}.mlp.shared_experts", h_TD)
    return _head(weights, config, x_TD)


def _llada2_wanted(weights: Weights, config: Config, at: str, h_TD: Tensor) -> Tensor:
    """Scores to choose experts by, those aside that are closed to a token: by groups of experts, or
    in LLaDA2.2 by blocks of tokens, each of which opens those that one of its tokens wants most."""
    wanted_TP = torch.sigmoid(h_TD.float() @ weights[f"{at}.mlp.gate.weight"].float().T)
    wanted_TP = wanted_TP + weights[f"{at}.mlp.gate.expert_bias"].float()
    for start in range(0, len(wanted_TP), config["block_size"]):
        rows = wanted_TP[start : start + config["block_size"]]
        if "expert_capacity" in config:
            worth = rows.amax(0).tolist()
            best = sorted(range(len(worth)), key=lambda e: -worth[e])[: config["expert_capacity"]]
            rows[:, [e for e in range(len(worth)) if e not in best]] = -torch.inf
            continue
        for row in rows:
            groups = row.split(config["num_experts"] // config["n_group"])
            sums = [sum(sorted(group.tolist())[-2:]) for group in groups]
            open_groups = sorted(range(len(sums)), key=lambda g: -sums[g])[: config["topk_group"]]
            for index in {*range(len(sums))} - {*open_groups}:
                groups[index][:] = -torch.inf
    return wanted_TP


def _llada2_experts(
    weights: Weights, config: Config, at: str, h_D: Tensor, wanted_P: Tensor
) -> Tensor:
    """Sigmoid scores; the best of the open ones, weights to sum 1."""
    scores = torch.sigmoid(weights[f"{at}.mlp.gate.weight"].float() @ h_D.float())
    best: list[int] = wanted_P.topk(config["num_experts_per_tok"]).indices.tolist()
    total = scores[best].sum() + 1e-20
    outputs = [
        scores[e]
        / total
        * config["routed_scaling_factor"]
        * _gated(weights, f"{at}.mlp.experts.{e}", h_D)
        for e in best
    ]
    return torch.stack(outputs).sum(0)


def _qwen_attention(
    weights: Weights, config: Config, at: str, x_TD: Tensor, seen_TT: Tensor
) -> Tensor:
    size = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    h_TD = _rms(x_TD, weights[f"{at}.input_layernorm.weight"], config["rms_norm_eps"])

    def heads(name: str) -> list[Tensor]:
        y_TX = h_TD @ weights[f"{at}.self_attn.{name}_proj.weight"].T
        y_TX = y_TX + weights.get(f"{at}.self_attn.{name}_proj.bias", torch.zeros(1))
        norm = weights.get(f"{at}.self_attn.{name}_norm.weight")
        parts = y_TX.split(size, 1)
        return [p if norm is None else _rms(p, norm, config["rms_norm_eps"]) for p in parts]

    theta = config["rope_theta"]
    queries = [_turned(q, theta, size) for q in heads("q")]
    keys = [_turned(k, theta, size) for k in heads("k")]
    mixed = _attend(queries, keys, heads("v"), seen_TT)
    return x_TD + torch.cat(mixed, 1) @ weights[f"{at}.self_attn.o_proj.weight"].T


def _head(weights: Weights, config: Config, x_TD: Tensor) -> Tensor:
    x_TD = _rms(x_TD, weights["model.norm.weight"], config["rms_norm_eps"])
    tied = config.get("tie_word_embeddings")
    return x_TD @ weights["model.embed_tokens.weight" if tied else "lm_head.weight"].T


def _attend(
    queries: list[Tensor], keys: list[Tensor], values: list[Tensor], seen_TT: Tensor
) -> list[Tensor]:
    """softmax(q k / sqrt(E)) v; so many query heads in a row share one of keys and values."""
    share = len(queries) // len(keys)
    mixed: list[Tensor] = []
    for head, q_TE in enumerate(queries):
        scores = q_TE @ keys[head // share].T / math.sqrt(q_TE.shape[1])
        scores = torch.where(seen_TT, scores, torch.tensor(-math.inf))
        mixed.append(torch.softmax(scores, 1) @ values[head // share])
    return mixed


def _turned(x_TE: Tensor, theta: float, turned: int) -> Tensor:
    """Rotary position on the first `turned` of a head, as complex numbers."""
    half = turned // 2
    speed = theta ** (-2 * torch.arange(half) / turned)
    turn = torch.polar(torch.ones(1), torch.arange(len(x_TE))[:, None] * speed)
    pairs = torch.complex(x_TE[:, :half], x_TE[:, half:turned]) * turn
    return torch.cat([pairs.real, pairs.imag, x_TE[:, turned:]], 1)


def _gated(weights: Weights, at: str, h_XD: Tensor) -> Tensor:
    gate = h_XD @ weights[f"{at}.gate_proj.weight"].T
    up = h_XD @ weights[f"{at}.up_proj.weight"].T
    return (gate * gate.sigmoid() * up) @ weights[f"{at}.down_proj.weight"].T


def _rms(x_XD: Tensor, weight_D: Tensor, epsilon: float) -> Tensor:
    return x_XD / (x_XD.square().mean(-1, keepdim=True) + epsilon).sqrt() * weight_D
