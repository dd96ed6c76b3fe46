"""The shared stack from a folder: its shape from config.json, its weights by their names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from engine.device import Placement
from engine.errors import CheckpointError
from engine.families.codec import FolderCodec
from engine.families.folder import Folder, Rows
from engine.families.gemma import Gemma, GemmaShape
from engine.families.int8 import in_int8
from engine.families.model import OFFSET, Traits
from engine.families.transformer import Shape, Transformer
from engine.lengths import LengthControl
from engine.rendezvous import checkpoint_checksum
from engine.schedule import Rule
from engine.vocabulary import Vocabulary


def shape_of(folder: Folder, *, qkv_bias: bool = False, qk_norm: bool = False) -> Shape:
    """From the keys that Llama, Qwen2 and Qwen3 have in config.json. Raises CheckpointError."""
    config, heads = folder.config, folder.number("num_attention_heads")
    width = folder.number("hidden_size")
    return Shape(
        vocabulary=folder.number("vocab_size"),
        width=width,
        layers=folder.number("num_hidden_layers"),
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_size=config.get("head_dim") or width // heads,
        hidden=folder.number("intermediate_size"),
        rope_base=rope_base(folder),
        epsilon=float(config.get("rms_norm_eps", 1e-6)),
        qkv_bias=qkv_bias,
        qk_norm=qk_norm,
        tied=bool(config.get("tie_word_embeddings", False)),
    )


def rope_base(folder: Folder) -> float:
    """The base of rotary positions. Raises CheckpointError where they are scaled."""
    rope: dict[str, Any] = folder.config.get("rope_parameters") or {}
    rope |= folder.config.get("rope_scaling") or {}
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind != "default":
        raise CheckpointError(f'{folder.path} scales its positions by "{kind}", unknown here')
    return float(rope.get("rope_theta") or folder.config.get("rope_theta") or 10_000.0)


def hub_name(parameter: str) -> str:
    """Its name in folders of Llama and Qwen: all but the head stands below "model"."""
    return parameter if parameter.startswith("lm_head.") else f"model.{parameter}"


def load_stack(
    folder: Folder,
    shape: Shape,
    placement: Placement,
    named: Callable[[str], str | Rows] = hub_name,
) -> Transformer:
    """A stack with the folder's weights, on the placement. Raises CheckpointError.

    named  what a parameter of the stack is in the folder
    """

    def stored(parameter: str) -> str | Rows:
        tied = shape.tied and parameter == "lm_head.weight"
        return named("embed_tokens.weight" if tied else parameter)

    with torch.device("meta"):
        stack = Transformer(shape)
    folder.fill(stack, placement, stored)
    if shape.tied:
        stack.lm_head.weight = stack.embed_tokens.weight  # one parameter, counted once
    if placement.int8:
        in_int8(stack.layers)
    return stack


def vocabulary_of(
    codec: FolderCodec, shape: Shape | GemmaShape, placement: Placement
) -> Vocabulary:
    """Over the engine's ids, for a stack of this shape."""
    return Vocabulary(codec.token_bytes, OFFSET + shape.vocabulary, placement.device)


@dataclass(frozen=True, slots=True)
class Filling:
    """How a family fills a hole; see `Traits`."""

    lengths: LengthControl
    rule: Rule
    slots: tuple[int, ...]
    fill_tokens: int


def traits_of(
    folder: Folder,
    placement: Placement,
    stack: Transformer | Gemma,
    codec: FolderCodec,
    filling: Filling,
) -> Traits:
    """What never changes of a folder's model, loaded."""
    return Traits(
        name=folder.path.name,
        checksum=checkpoint_checksum(folder.path),
        parameters=sum(parameter.numel() for parameter in stack.parameters()),
        placement=placement,
        tokenizer=codec,
        vocabulary=vocabulary_of(codec, stack.shape, placement),
        lengths=filling.lengths,
        rule=filling.rule,
        slots=filling.slots,
        fill_tokens=filling.fill_tokens,
    )
