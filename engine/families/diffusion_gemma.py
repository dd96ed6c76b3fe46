"""DiffusionGemma: a canvas that sees both ways, on top of context that is read causally.

It has no mask: a slot that is not filled yet holds any token, drawn anew for each look. In each
step the places of lowest entropy are accepted, and all others drawn again; what was thought of a
slot in the last step is handed on to the next, and steps grow cooler. What follows the hole is out
of sight.

Checkpoint: google/diffusiongemma-26B-A4B-it; its eyes are left aside.
Source: DiffusionGemma as in transformers 5.13 and later (Apache-2.0).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.device import Placement
from engine.errors import CheckpointError
from engine.families.codec import FolderCodec, codec_of
from engine.families.folder import Folder
from engine.families.gemma import Gemma, GemmaShape, Heads
from engine.families.ids import engine_ids, engine_log_probs, own_canvas, own_ids
from engine.families.model import CONTEXT_TOKENS, Facts, Reading, Traits
from engine.families.past import Past, cut, grown
from engine.families.stack import Filling, fill, traits_of
from engine.lengths import EndOfMiddle
from engine.schedule import Renewal, Rule
from engine.segments import in_common
from engine.tokenizer import EOM, MASK

_SLOTS, _FILL_TOKENS = 32, 96
_PASSES = 48
_WARM, _COOL = 0.8, 0.4
"""Temperatures of the first step and of the last, by which logits are divided."""
_RULE = Rule(
    passes=_PASSES,
    polish=_PASSES,
    renewal=Renewal(bound=0.1, calm=0.005),
    remask_limit=0,
    lengths=1,
    guesses=0,
)
_SEED = 0


class CanvasOnContext:
    """A stack on a device, and the context it read last."""

    def __init__(
        self, stack: Gemma, codec: FolderCodec, traits: Traits, opening: int, end: int
    ) -> None:
        self.traits = traits
        self._stack, self._codec, self._opening, self._end = stack, codec, opening, end
        self._tokens: list[int] = []
        self._past: Past = []

    def streams(self, language: str, head: bytes, tail: bytes) -> tuple[list[int], list[int]]:
        """The prefix left to right, with what opens a text; there is no suffix stream."""
        del language, tail
        before = self._codec.before(head, CONTEXT_TOKENS - _FILL_TOKENS)
        return [*engine_ids([self._opening]), *before], []

    def read(self, prefix: Sequence[int], suffix: Sequence[int], done: Sequence[int]) -> Reading:
        """What a context begins with in common with the last one is not computed again: exact."""
        del suffix
        context = own_ids([*prefix, *done])
        encoded = self._encode(context)
        return Reading(_Look(self._stack, self._past, self._end), encoded, len(context))

    def _encode(self, context: list[int]) -> int:
        same = in_common(self._tokens, context)
        self._past = cut(self._past, same)
        if same < len(context):
            device = self._stack.embed_tokens.weight.device
            fresh_1T = torch.tensor([context[same:]], device=device)
            self._past = grown(self._past, self._stack.encode(fresh_1T, self._past))
        self._tokens = context
        return len(context) - same


class _Look:
    """Canvases on a context in, log-probabilities out; what was thought of them comes back.

    A canvas that is all masked begins anew. Each further look at canvases of that number and size
    is a step: cooler than the one before it, and conditioned on it.
    """

    def __init__(self, stack: Gemma, past: Past, end: int) -> None:
        self._stack, self._past, self._end = stack, past, end
        self._noise = torch.Generator().manual_seed(_SEED)
        self._thought_NCV: Tensor | None = None
        self._steps = 0

    def __call__(self, tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        rows_N = wanted_NC.any(1)
        tokens_NC, wanted_NC = tokens_NC[rows_N], wanted_NC[rows_N]
        thought_NCV = self._thought_NCV
        blank = not (tokens_NC > EOM).any()
        if blank or thought_NCV is None or thought_NCV.shape[:2] != tokens_NC.shape:
            thought_NCV, self._steps = None, 0
        logits_NCV = self._stack.weigh(self._noised(tokens_NC), self._past, thought_NCV)
        left = max(_PASSES - self._steps, 1) / _PASSES
        logits_NCV = logits_NCV / (_COOL + (_WARM - _COOL) * left)
        self._thought_NCV, self._steps = logits_NCV, self._steps + 1
        return engine_log_probs(logits_NCV[wanted_NC], self._end)

    def _noised(self, tokens_NC: Tensor) -> Tensor:
        """The family's ids, any of them where a slot is masked."""
        drawn_NC = torch.randint(
            self._stack.shape.vocabulary, tokens_NC.shape, generator=self._noise
        )
        own_NC = own_canvas(tokens_NC, 0, self._end)
        return torch.where(tokens_NC == MASK, drawn_NC.to(own_NC.device), own_NC)


@dataclass(frozen=True, slots=True)
class GemmaPlan:
    """Whose stack is its own."""

    folder: Folder
    codec: FolderCodec
    shape: GemmaShape
    opening: int
    end: int

    @property
    def facts(self) -> Facts:
        return Facts(sees_suffix=False)

    def check(self) -> None:
        self._on_meta()

    def _on_meta(self) -> Gemma:
        self.codec.refuse_unless_within(self.shape.vocabulary, 0)
        with torch.device("meta"):
            stack = Gemma(self.shape)
        self.folder.check(stack, _named)
        return stack

    def stack(self, placement: Placement) -> Gemma:
        """The folder's weights, on a device. Raises CheckpointError."""
        stack = self._on_meta()
        fill(stack, self.folder, placement, _named)
        return stack

    def load(self, placement: Placement) -> CanvasOnContext:
        stack = self.stack(placement)
        filling = Filling(EndOfMiddle, _RULE, (_SLOTS,), _FILL_TOKENS)
        traits = traits_of(self.folder, placement, stack, self.codec, filling)
        return CanvasOnContext(stack, self.codec, traits, self.opening, self.end)


def claims(folder: Folder) -> bool:
    """Is this the checkpoint?"""
    return folder.architecture == "DiffusionGemmaForBlockDiffusion"


def plan(folder: Folder) -> GemmaPlan:
    """Raises CheckpointError."""
    codec, text = codec_of(folder), folder.config.get("text_config", {})
    begin = codec.role(text, "bos")
    if begin is None:
        raise CheckpointError(f"{folder.path} does not say which token begins a text")
    return GemmaPlan(folder, codec, _shape(folder), begin, codec.end(text))


def _named(parameter: str) -> str:
    if parameter.endswith(".context_scalar"):
        at = parameter.removesuffix("context_scalar")
        return f"model.encoder.language_model.{at}layer_scalar"
    if ".experts." in parameter:
        parameter = parameter.removesuffix(".weight")
    return f"model.decoder.{parameter}"


def _shape(folder: Folder) -> GemmaShape:
    text: Mapping[str, Any] = folder.config.get("text_config") or {}
    try:
        kinds = {kind: _heads(text, kind) for kind in ("sliding_attention", "full_attention")}
        return GemmaShape(
            vocabulary=text["vocab_size"],
            width=text["hidden_size"],
            heads=text["num_attention_heads"],
            hidden=text["intermediate_size"],
            expert_hidden=text["moe_intermediate_size"],
            experts=text["num_experts"],
            chosen=text["top_k_experts"],
            epsilon=text["rms_norm_eps"],
            softcap=text["final_logit_softcapping"],
            kinds=tuple(kinds[kind] for kind in text["layer_types"]),
        )
    except KeyError as error:
        raise CheckpointError(f"{folder.path}: text_config in config.json lacks {error}") from error


def _heads(text: Mapping[str, Any], kind: str) -> Heads:
    rope: Mapping[str, Any] = text["rope_parameters"][kind]
    sliding = kind == "sliding_attention"
    groups = text["num_key_value_heads"]
    return Heads(
        size=text["head_dim"] if sliding else text["global_head_dim"],
        kv_heads=groups if sliding else text.get("num_global_key_value_heads") or groups,
        rope_base=rope["rope_theta"],
        turned=rope.get("partial_rotary_factor", 1.0),
        window=text["sliding_window"] if sliding else None,
        own_values=sliding,
    )
