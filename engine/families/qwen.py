"""Diffusion models with the shape of Qwen2 or Qwen3 that see both ways.

    Dream, Dream-Coder, DiffuCoder   `DreamModel`; logits shifted
    DreamOn                          the same with a token `<|expand|>`; EOS in the hole deletes
    Open-dCoder                      `Qwen2ForCausalLM` whose tokenizer has a mask; logits shifted
    dllm's a2d, mdlm                 `A2DQwen2LMHeadModel`, `A2DQwen3LMHeadModel`; not shifted

A `Dream` with a `block_size`, or an a2d trained by bd3lm, sees in blocks and is none of these.

Sources: Dream, arXiv:2508.15487; DiffuCoder, arXiv:2506.20639; DreamOn, arXiv:2602.01326; dllm,
github.com/ZHZisZZ/dllm; Open-dCoder, github.com/pengzhangzhi/Open-dLLM, which takes back what it
wrote (path planning).
"""

from dataclasses import dataclass, replace
from functools import partial

from engine.families.codec import MASK_NAMES, FolderCodec, codec_of
from engine.families.folder import Folder
from engine.families.full import CANDIDATES, FILL_TOKENS, SLOTS, Layout, full_attention
from engine.families.ids import OFFSET
from engine.families.model import CONTEXT_TOKENS, Plan
from engine.families.stack import Filling, shape_of
from engine.lengths import Confidence, ExpandDelete
from engine.schedule import Rule, floored, rounded, singly

_EXPAND, _START = "<|expand|>", 4


@dataclass(frozen=True, slots=True)
class _Kind:
    """What tells these families apart.

    framed  does a text begin with BOS and end with EOS?
    mask    where neither config nor tokenizer names it
    """

    qk_norm: bool
    shifted: bool
    rule: Rule
    framed: bool = False
    mask: int | None = None


_BY_ENTROPY = Rule(passes=16, order="entropy", quota=floored, remask_limit=0, lengths=3, guesses=0)
"""As published, but what is 0.9 sure is not waited for (Fast-dLLM, arXiv:2505.22618)."""
_BY_PROBABILITY = replace(_BY_ENTROPY, order="probability", quota=rounded)
_BY_PLAN = replace(_BY_ENTROPY, order="probability", planned=True)
_DREAM_ON = replace(_BY_ENTROPY, passes=256, quota=singly, lengths=1)

_KINDS = {
    "DreamModel": _Kind(qk_norm=False, shifted=True, framed=True, mask=151666, rule=_BY_ENTROPY),
    "Qwen2ForCausalLM": _Kind(qk_norm=False, shifted=True, rule=_BY_PLAN),
    "A2DQwen2LMHeadModel": _Kind(qk_norm=False, shifted=False, rule=_BY_PROBABILITY),
    "A2DQwen3LMHeadModel": _Kind(qk_norm=True, shifted=False, rule=_BY_PROBABILITY),
}


def claims(folder: Folder) -> bool:
    """Is this one of these families?"""
    if folder.architecture not in _KINDS or in_blocks(folder):
        return False
    return folder.architecture != "Qwen2ForCausalLM" or has_mask(folder)


def in_blocks(folder: Folder) -> bool:
    """Does the folder say that the model sees in blocks, by its config or, for a2d, by its name?"""
    sized = any(folder.config.get(key) for key in ("block_size", "bd_size"))
    return sized or "bd3lm" in folder.names


def has_mask(folder: Folder) -> bool:
    """Does the config or the tokenizer name a mask? Else a Qwen2 reads left to right."""
    if isinstance(folder.config.get("mask_token_id"), int):
        return True
    codec = codec_of(folder)
    return codec.special("mask_token") is not None or any(
        name in codec.specials for name in MASK_NAMES
    )


def plan(folder: Folder) -> Plan:
    """Raises CheckpointError."""
    kind, codec = _KINDS[folder.architecture], codec_of(folder)
    shape = shape_of(folder, qkv_bias=not kind.qk_norm, qk_norm=kind.qk_norm)
    return full_attention(
        folder, codec, shape, _layout(folder, codec, kind), _filling(folder, codec, kind)
    )


def _layout(folder: Folder, codec: FolderCodec, kind: _Kind) -> Layout:
    begin, end = codec.role(folder.config, "bos"), codec.end(folder.config)
    longest = folder.config.get("max_position_embeddings") or CONTEXT_TOKENS
    return Layout(
        mask=codec.mask(folder.config, kind.mask),
        end=end,
        opening=(begin,) if kind.framed and begin is not None else (),
        closing=(end,) if kind.framed else (),
        shifted=kind.shifted,
        context_tokens=min(CONTEXT_TOKENS, longest),
    )


def _filling(folder: Folder, codec: FolderCodec, kind: _Kind) -> Filling:
    """With a token that expands, the model itself makes a hole longer."""
    expand = folder.config.get("expand_token_id", codec.specials.get(_EXPAND))
    if expand is None:
        return Filling(partial(Confidence, CANDIDATES), kind.rule, (SLOTS,), FILL_TOKENS)
    lengths = partial(ExpandDelete, _START, OFFSET + int(expand))
    return Filling(lengths, _DREAM_ON, (SLOTS,), FILL_TOKENS)
