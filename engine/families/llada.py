"""LLaDA 8B and LLaDA 1.5: Llama's stack under OLMo's names, seeing both ways.

Checkpoints: GSAI-ML/LLaDA-8B-Base, LLaDA-8B-Instruct, LLaDA-1.5.
Source: github.com/ML-GSAI/LLaDA, generate.py; modeling_llada.py of the checkpoints;
arXiv:2502.09992. What is 0.9 sure is not waited for (Fast-dLLM, arXiv:2505.22618).
"""

from engine.errors import CheckpointError
from engine.families.folder import Folder
from engine.families.masked import masked
from engine.families.model import Plan
from engine.families.stack import rope_base, stretch
from engine.families.transformer import Shape

_MASK = 126336
_AT = "model.transformer"
_OUTER = {
    "embed_tokens.weight": f"{_AT}.wte.weight",
    "norm.weight": f"{_AT}.ln_f.weight",
    "lm_head.weight": f"{_AT}.ff_out.weight",
}
_INNER = {
    "self_attn.q_proj": "q_proj",
    "self_attn.k_proj": "k_proj",
    "self_attn.v_proj": "v_proj",
    "self_attn.o_proj": "attn_out",
    "mlp.gate_proj": "ff_proj",
    "mlp.up_proj": "up_proj",
    "mlp.down_proj": "ff_out",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ff_norm",
}
_KNOWN = {
    "block_type": "llama",
    "layer_norm_type": "rms",
    "activation_type": "silu",
    "rope": True,
    "alibi": False,
    "attention_layer_norm": False,
    "include_bias": False,
    "scale_logits": False,
    "block_group_size": 1,
}
"""The config can say much else, which no published checkpoint does."""


def claims(folder: Folder) -> bool:
    """Is this one of these checkpoints?"""
    return folder.architecture == "LLaDAModelLM" and "d_model" in folder.config


def plan(folder: Folder) -> Plan:
    """Raises CheckpointError."""
    for key, value in _KNOWN.items():
        if folder.config.get(key, value) != value:
            raise CheckpointError(
                f"{folder.path}: config.json has {key} {folder.config[key]!r}, this engine knows"
                f" LLaDA with {value!r} only"
            )
    return masked(folder, _shape(folder), _MASK, _named)


def _shape(folder: Folder) -> Shape:
    config, heads, width = folder.config, folder.number("n_heads"), folder.number("d_model")
    return Shape(
        vocabulary=config.get("embedding_size") or folder.number("vocab_size"),
        width=width,
        layers=folder.number("n_layers"),
        heads=heads,
        kv_heads=folder.number("n_kv_heads", heads),
        head_size=width // heads,
        hidden=folder.number("mlp_hidden_size"),
        rope_base=rope_base(folder),
        stretch=stretch(folder),
        epsilon=float(config.get("rms_norm_eps", 1e-5)),
        qkv_bias=bool(config.get("include_qkv_bias", False)),
        tied=bool(config.get("weight_tying", False)),
    )


def _named(parameter: str) -> str:
    if parameter in _OUTER:
        return _OUTER[parameter]
    _, layer, rest = parameter.split(".", 2)
    part, _, kind = rest.rpartition(".")
    return f"{_AT}.blocks.{layer}.{_INNER[part]}.{kind}"
