"""Diffusion models with the shape of Qwen2 or Qwen3 that see both ways.

    Dream, Dream-Coder, DiffuCoder   `DreamModel`; logits shifted
    DreamOn                          the same with a token `<|expand|>`; EOS in the hole deletes
    Open-dCoder                      `Qwen2ForCausalLM` whose tokenizer has a mask; logits shifted
    dllm's a2d, mdlm                 `A2DQwen2LMHeadModel`, `A2DQwen3LMHeadModel`; not shifted

A `Dream` with a `block_size`, or an a2d trained by bd3lm, sees in blocks and is none of these.

Sources: Dream, arXiv:2508.15487; DiffuCoder, arXiv:2506.20639; DreamOn, arXiv:2602.01326; dllm,
github.com/ZHZisZZ/dllm; Open-dCoder, github.com/pengzhangzhi/Open-dLLM.
"""

from dataclasses import dataclass, replace

from engine.device import Placement
from engine.errors import CheckpointError
from engine.families.codec import MASK_NAMES, FolderCodec
from engine.families.folder import Folder
from engine.families.full import FullAttention, Layout
from engine.families.model import OFFSET
from engine.families.stack import Filling, load_stack, shape_of, traits_of, vocabulary_of
from engine.lengths import Confidence, ExpandDelete, LengthControl
from engine.schedule import Rule, floored, rounded, singly
from engine.vocabulary import Vocabulary

CONTEXT_TOKENS = 2048
"""What Dream was made for, whatever its config says; more is slow where nothing is kept."""
SLOTS = 64
FILL_TOKENS = 128
CANDIDATES = (4, 8, 16, 32, 48)
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
BY_PROBABILITY = replace(_BY_ENTROPY, order="probability", quota=rounded)
_DREAM_ON = replace(_BY_ENTROPY, passes=256, quota=singly, lengths=1)

_KINDS = {
    "DreamModel": _Kind(qk_norm=False, shifted=True, framed=True, mask=151666, rule=_BY_ENTROPY),
    "Qwen2ForCausalLM": _Kind(qk_norm=False, shifted=True, rule=_BY_ENTROPY),
    "A2DQwen2LMHeadModel": _Kind(qk_norm=False, shifted=False, rule=BY_PROBABILITY),
    "A2DQwen3LMHeadModel": _Kind(qk_norm=True, shifted=False, rule=BY_PROBABILITY),
}


def claims(folder: Folder) -> bool:
    """Is this one of these families?"""
    if folder.architecture not in _KINDS or in_blocks(folder):
        return False
    return folder.architecture != "Qwen2ForCausalLM" or has_mask(folder)


def in_blocks(folder: Folder) -> bool:
    """Does the folder say that the model sees in blocks, by its config or, for a2d, by its name?"""
    names = f"{folder.path.name} {folder.config.get('_name_or_path', '')}".lower()
    return any(folder.config.get(key) for key in ("block_size", "bd_size")) or "bd3lm" in names


def has_mask(folder: Folder) -> bool:
    """Does the config or the tokenizer name a mask? Else a Qwen2 reads left to right."""
    if isinstance(folder.config.get("mask_token_id"), int):
        return True
    codec = FolderCodec(folder)
    return codec.special("mask_token") is not None or any(
        name in codec.specials for name in MASK_NAMES
    )


def load(folder: Folder, placement: Placement) -> FullAttention:
    """Raises CheckpointError."""
    kind, codec = _KINDS[folder.architecture], FolderCodec(folder)
    shape = shape_of(folder, qkv_bias=not kind.qk_norm, qk_norm=kind.qk_norm)
    layout = _layout(folder, codec, kind)
    codec.refuse_unless_within(shape.vocabulary, layout.mask)
    lengths, rule = _lengths(folder, codec, vocabulary_of(codec, shape, placement), kind)
    stack = load_stack(folder, shape, placement)
    filling = Filling(lengths, rule, (SLOTS,), FILL_TOKENS)
    traits = traits_of(folder, placement, stack, codec, filling)
    return FullAttention(stack, codec, layout, traits)


def _layout(folder: Folder, codec: FolderCodec, kind: _Kind) -> Layout:
    begin, end = codec.role(folder.config, "bos"), codec.role(folder.config, "eos")
    if end is None:
        raise CheckpointError(f"{folder.path} does not say which token ends a text")
    longest = folder.config.get("max_position_embeddings") or CONTEXT_TOKENS
    return Layout(
        mask=codec.mask(folder.config, kind.mask),
        end=end,
        opening=(begin,) if kind.framed and begin is not None else (),
        closing=(end,) if kind.framed else (),
        shifted=kind.shifted,
        context_tokens=min(CONTEXT_TOKENS, longest),
    )


def _lengths(
    folder: Folder, codec: FolderCodec, vocabulary: Vocabulary, kind: _Kind
) -> tuple[LengthControl, Rule]:
    expand = folder.config.get("expand_token_id", codec.specials.get(_EXPAND))
    if expand is None:
        return Confidence(CANDIDATES, vocabulary), kind.rule
    return ExpandDelete(_START, OFFSET + int(expand), vocabulary), _DREAM_ON
