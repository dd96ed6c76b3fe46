"""Models that fill in the middle from left to right, to compare with.

    Qwen2.5-Coder    `Qwen2ForCausalLM` whose tokenizer has no mask
    DeepSeek-Coder   `LlamaForCausalLM` with its marks for a hole, positions stretched
    StarCoder2       `Starcoder2ForCausalLM`; its window of 4096 tokens is wider than what we read

Sources: Qwen2.5-Coder, arXiv:2409.12186; DeepSeek-Coder, arXiv:2401.14196; StarCoder2,
arXiv:2402.19173.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.errors import CheckpointError
from engine.families.codec import codec_of
from engine.families.folder import Folder
from engine.families.left_to_right import Prompt, left_to_right
from engine.families.model import Plan
from engine.families.stack import shape_of
from engine.families.transformer import Shape


@dataclass(frozen=True, slots=True)
class _Kind:
    """What tells these families apart.

    marks   before the prefix, before the suffix, before the middle
    end     what is written behind a middle; a model that chats may end its turns otherwise
    opened  does a text begin with BOS?
    """

    marks: tuple[str, str, str]
    end: str
    shape: Callable[[Folder], Shape]
    opened: bool = False


def _qwen(folder: Folder) -> Shape:
    return shape_of(folder, qkv_bias=True)


def _star(folder: Folder) -> Shape:
    config = folder.config
    if not config.get("use_bias", True):
        raise CheckpointError(f"{folder.path}: config.json has no use_bias, which StarCoder2 has")
    return replace(
        shape_of(folder, activation="gelu_pytorch_tanh"),
        plain=True,
        epsilon=float(config.get("norm_epsilon", 1e-5)),
        tied=bool(config.get("tie_word_embeddings", True)),
    )


_KINDS = {
    "Qwen2ForCausalLM": _Kind(
        ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"), "<|endoftext|>", _qwen
    ),
    "LlamaForCausalLM": _Kind(
        (
            "<\uff5cfim\u2581begin\uff5c>",
            "<\uff5cfim\u2581hole\uff5c>",
            "<\uff5cfim\u2581end\uff5c>",
        ),
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
        shape_of,
        opened=True,
    ),
    "Starcoder2ForCausalLM": _Kind(
        ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"), "<|endoftext|>", _star
    ),
}


def claims(folder: Folder) -> bool:
    """Has the tokenizer the marks of its family? What has a mask too was claimed before."""
    kind = _KINDS.get(folder.architecture)
    return kind is not None and set(kind.marks) <= set(codec_of(folder).specials)


def plan(folder: Folder) -> Plan:
    """Raises CheckpointError."""
    kind, codec = _KINDS[folder.architecture], codec_of(folder)
    before, between, closing = (codec.specials[mark] for mark in kind.marks)
    begin = codec.role(folder.config, "bos") if kind.opened else None
    opening = (before,) if begin is None else (begin, before)
    end = codec.specials.get(kind.end)
    prompt = Prompt(opening, between, closing, codec.end(folder.config) if end is None else end)
    return left_to_right(folder, codec, kind.shape(folder), prompt)
