"""From a folder to a model: its shape from config.json, its weights by their names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from engine.device import Placement
from engine.errors import CheckpointError
from engine.families.codec import FolderCodec
from engine.families.exchange import exchange, kind_for
from engine.families.folder import Folder, Rows
from engine.families.gemma import Gemma
from engine.families.ids import OFFSET
from engine.families.model import CONTEXT_TOKENS, Facts, Model, Traits
from engine.families.spread import connect, devices_of
from engine.families.transformer import Shape, Transformer
from engine.lengths import LengthControl
from engine.matrix import LaidLinear
from engine.rendezvous import checkpoint_checksum
from engine.schedule import Rule
from engine.vocabulary import Vocabulary

Naming = Callable[[str], str | Rows]
"""What a parameter of the stack is in a folder."""


def shape_of(
    folder: Folder,
    *,
    qkv_bias: bool = False,
    qk_norm: bool = False,
    hidden: str = "intermediate_size",
    activation: str = "silu",
) -> Shape:
    """From the keys that Llama, Qwen2 and Qwen3 have in config.json. Raises CheckpointError.

    hidden      the key that has the width inside a feed-forward layer
    activation  what the family has between its two matrices
    """
    config, heads = folder.config, folder.number("num_attention_heads")
    width = folder.number("hidden_size")
    if (found := config.get("hidden_act", activation)) != activation:
        raise CheckpointError(f"{folder.path}: its family has {activation}, and no {found}")
    _refuse_narrow_window(folder)
    return Shape(
        vocabulary=folder.number("vocab_size"),
        width=width,
        layers=folder.number("num_hidden_layers"),
        heads=heads,
        kv_heads=folder.number("num_key_value_heads", heads),
        head_size=folder.number("head_dim", width // heads),
        hidden=folder.number(hidden),
        rope_base=rope_base(folder),
        stretch=stretch(folder),
        epsilon=float(config.get("rms_norm_eps", 1e-6)),
        qkv_bias=qkv_bias,
        qk_norm=qk_norm,
        tied=_is_tied(folder),
    )


def _is_tied(folder: Folder) -> bool:
    """Is the head the embedding? Where nothing says so, it is if there is no other."""
    said = folder.config.get("tie_word_embeddings")
    return "lm_head.weight" not in folder.tensors if said is None else bool(said)


def _refuse_narrow_window(folder: Folder) -> None:
    """A window that is at least as wide as what is read is none; others are unknown here."""
    config = folder.config
    if config.get("use_sliding_window", True) and folder.number("sliding_window", 2**62) < (
        CONTEXT_TOKENS
    ):
        raise CheckpointError(
            f"{folder.path}: tokens see {config['sliding_window']} others, fewer than are read here"
        )


def rope_base(folder: Folder) -> float:
    """The base of rotary positions."""
    return float(_rope(folder).get("rope_theta") or folder.config.get("rope_theta") or 10_000.0)


def stretch(folder: Folder) -> float:
    """What positions are divided by. Raises CheckpointError where they are scaled otherwise."""
    rope = _rope(folder)
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind not in ("default", "linear"):
        raise CheckpointError(f'{folder.path} scales its positions by "{kind}", unknown here')
    return float(rope["factor"]) if kind == "linear" else 1.0


def _rope(folder: Folder) -> dict[str, Any]:
    config = folder.config
    return {**(config.get("rope_parameters") or {}), **(config.get("rope_scaling") or {})}


def hub_name(parameter: str) -> str:
    """Its name in folders of Llama and Qwen: all but the head stands below "model"."""
    return parameter if parameter.startswith("lm_head.") else f"model.{parameter}"


@dataclass(frozen=True, slots=True)
class Filling:
    """How a family fills a hole; see `Traits`.

    lengths  made when the vocabulary is on its device
    """

    lengths: Callable[[Vocabulary], LengthControl]
    rule: Rule
    slots: tuple[int, ...]
    fill_tokens: int


class Assemble(Protocol):
    """A stack with its weights, made a model."""

    def __call__(self, stack: Transformer, codec: FolderCodec, traits: Traits) -> Model: ...


@dataclass(frozen=True, slots=True)
class StackPlan:
    """The plan of every family that has the shared stack."""

    folder: Folder
    codec: FolderCodec
    shape: Shape
    facts: Facts
    assemble: Assemble
    filling: Filling
    named: Naming = hub_name

    def check(self) -> None:
        """Raises CheckpointError where tokenizer or weights are not what the config says."""
        self._on_meta()

    def load(self, placement: Placement) -> Model:
        """The model, on a device. Raises CheckpointError."""
        stack = self.stack(placement)
        traits = traits_of(self.folder, placement, stack, self.codec, self.filling)
        return self.assemble(stack, self.codec, traits)

    def stack(self, placement: Placement) -> Transformer:
        """The folder's weights, on a device. Raises CheckpointError."""
        stack = self._on_meta()
        fill(stack, self.folder, placement, self._stored)
        if self.shape.tied:
            stack.lm_head.weight = stack.embed_tokens.weight  # one parameter, counted once
        elif (kind := kind_for(placement)) is LaidLinear:
            exchange(stack, kind)  # the head; in 8 bits it stays as it is
        return stack

    def _on_meta(self) -> Transformer:
        self.codec.refuse_unless_within(self.shape.vocabulary, self.facts.mask or 0)
        with torch.device("meta"):
            stack = Transformer(self.shape)
        self.folder.check(stack, self._stored)
        return stack

    def _stored(self, parameter: str) -> str | Rows:
        tied = self.shape.tied and parameter == "lm_head.weight"
        return self.named("embed_tokens.weight" if tied else parameter)


def fill(stack: nn.Module, folder: Folder, placement: Placement, named: Naming) -> None:
    """Give a stack on the meta device, which was checked, the folder's weights.

    Layer by layer, so that no more than one is there in two forms at any time. Raises
    CheckpointError, DeviceError.
    """
    device_of, kind = devices_of(stack, placement), kind_for(placement)
    stack.requires_grad_(requires_grad=False).eval()
    layers = [f"layers.{index}" for index, _ in enumerate(stack.get_submodule("layers").children())]
    names = list(stack.state_dict())
    for layer in layers:
        own = [name for name in names if name.startswith(f"{layer}.")]
        folder.fill(stack, own, placement.dtype, named, device_of)
        if kind:
            exchange(stack.get_submodule(layer), kind)
    outer = [name for name in names if not name.startswith("layers.")]
    folder.fill(stack, outer, placement.dtype, named, device_of)
    connect(stack, placement)


def traits_of(
    folder: Folder,
    placement: Placement,
    stack: Transformer | Gemma,
    codec: FolderCodec,
    filling: Filling,
) -> Traits:
    """What never changes of a folder's model, loaded."""
    size = OFFSET + stack.shape.vocabulary
    vocabulary = Vocabulary(codec.token_bytes, size, placement.device)
    return Traits(
        name=folder.path.name,
        checksum=checkpoint_checksum(folder.path),
        parameters=sum(parameter.numel() for parameter in stack.parameters()),
        placement=placement,
        tokenizer=codec,
        vocabulary=vocabulary,
        lengths=filling.lengths(vocabulary),
        rule=filling.rule,
        slots=filling.slots,
        fill_tokens=filling.fill_tokens,
    )
