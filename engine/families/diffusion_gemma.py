"""DiffusionGemma: a canvas that sees both ways, on top of context that is read causally.

It has no mask: a slot that is not filled yet holds any token, drawn anew for each look. Its authors
accept the places of lowest entropy in each step, and draw all others again; here the engine's own
loop fills them, the surest by entropy first, and what was thought of a slot in the last pass is not
handed on. What follows the hole is out of sight.

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
from engine.families.codec import FolderCodec
from engine.families.folder import Folder
from engine.families.gemma import Gemma, GemmaShape, Heads
from engine.families.ids import engine_ids, engine_log_probs, own_canvas, own_ids
from engine.families.int8 import in_int8
from engine.families.model import CONTEXT_TOKENS, Facts, Plan, Reading, Traits
from engine.families.past import Past, cut, grown
from engine.families.stack import Filling, traits_of
from engine.lengths import EndOfMiddle
from engine.schedule import Rule
from engine.segments import in_common
from engine.tokenizer import MASK

_SLOTS, _FILL_TOKENS = 32, 96
_RULE = Rule(passes=16, order="entropy", remask_limit=0, lengths=1, guesses=0)
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
        past, noise = self._past, torch.Generator().manual_seed(_SEED)

        def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
            rows_N = wanted_NC.any(1)
            tokens_NC = tokens_NC[rows_N]
            drawn_NC = torch.randint(self._stack.shape.vocabulary, tokens_NC.shape, generator=noise)
            own_NC = own_canvas(tokens_NC, 0, self._end)
            canvas_NC = torch.where(tokens_NC == MASK, drawn_NC.to(own_NC.device), own_NC)
            logits_NCV = self._stack.weigh(canvas_NC, past)
            return engine_log_probs(logits_NCV[wanted_NC[rows_N]], self._end)

        return Reading(look, encoded, len(context))

    def _encode(self, context: list[int]) -> int:
        same = in_common(self._tokens, context)
        self._past = cut(self._past, same)
        if same < len(context):
            device = self._stack.embed_tokens.weight.device
            fresh_1T = torch.tensor([context[same:]], device=device)
            self._past = grown(self._past, self._stack.encode(fresh_1T, self._past))
        self._tokens = context
        return len(context) - same


@dataclass(frozen=True, slots=True)
class _Plan:
    """Whose stack is its own."""

    folder: Folder
    codec: FolderCodec
    shape: GemmaShape
    opening: int
    end: int

    @property
    def facts(self) -> Facts:
        return Facts(sees_suffix=False)

    def load(self, placement: Placement) -> CanvasOnContext:
        self.codec.refuse_unless_within(self.shape.vocabulary, 0)
        with torch.device("meta"):
            stack = Gemma(self.shape)
        self.folder.fill(stack, placement, _named)
        if placement.int8:
            in_int8(stack.layers)
        filling = Filling(EndOfMiddle, _RULE, (_SLOTS,), _FILL_TOKENS)
        traits = traits_of(self.folder, placement, stack, self.codec, filling)
        return CanvasOnContext(stack, self.codec, traits, self.opening, self.end)


def claims(folder: Folder) -> bool:
    """Is this the checkpoint?"""
    return folder.architecture == "DiffusionGemmaForBlockDiffusion"


def plan(folder: Folder) -> Plan:
    """Raises CheckpointError."""
    codec, text = FolderCodec(folder), folder.config.get("text_config", {})
    begin = codec.role(text, "bos")
    if begin is None:
        raise CheckpointError(f"{folder.path} does not say which token begins a text")
    return _Plan(folder, codec, _shape(folder), begin, codec.end(text))


def _named(parameter: str) -> str:
    if parameter.endswith(".context_scalar"):
        at = parameter.removesuffix("context_scalar")
        return f"model.encoder.language_model.{at}layer_scalar"
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
