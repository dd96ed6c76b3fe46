"""Models that write from left to right and were taught to fill in the middle: the rivals.

    Qwen2.5-Coder    `Qwen2ForCausalLM` whose tokenizer has no mask
    DeepSeek-Coder   `LlamaForCausalLM` with its marks for a hole

The prompt says prefix and suffix, and what is written behind it is the middle. A row of a canvas
is filled one slot a pass, the leftmost first; what was read and written stays in the cache.

Sources: FIM, arXiv:2207.14255; Qwen2.5-Coder, arXiv:2409.12186; DeepSeek-Coder, arXiv:2401.14196.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.device import Placement
from engine.errors import CheckpointError
from engine.families.codec import FolderCodec
from engine.families.folder import Folder
from engine.families.full import engine_ids, engine_log_probs, own_canvas, own_ids
from engine.families.model import Reading, Traits
from engine.families.stack import Filling, load_stack, shape_of, traits_of, vocabulary_of
from engine.families.transformer import KeysValues, Past, Transformer
from engine.lengths import ToTheEnd
from engine.schedule import Rule, singly
from engine.segments import nearest, window_end, window_start
from engine.tokenizer import EOM, MASK

CONTEXT_TOKENS = 2048
_SUFFIX_PART = 4
"""One part in so many of the context goes to the suffix."""
_SLOTS, _FILL_TOKENS = 64, 128
_RULE = Rule(
    confident=2.0,
    remask_limit=0,
    passes=_SLOTS,
    lengths=1,
    guesses=0,
    order="leftmost",
    quota=singly,
)
_MARKS = {
    "Qwen2ForCausalLM": ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    "LlamaForCausalLM": (
        "<\uff5cfim\u2581begin\uff5c>",
        "<\uff5cfim\u2581hole\uff5c>",
        "<\uff5cfim\u2581end\uff5c>",
    ),
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """How a family is asked for a middle; ids are its own.

    opening  before all: BOS where there is one, and the mark before the prefix
    between  the mark before the suffix
    closing  the mark before the middle
    end      what the model writes behind the middle
    """

    opening: tuple[int, ...]
    between: int
    closing: int
    end: int


def claims(folder: Folder) -> bool:
    """Has the tokenizer the marks of its family? What has a mask too was claimed before."""
    marks = _MARKS.get(folder.architecture, ())
    return bool(marks) and set(marks) <= set(FolderCodec(folder).specials)


def load(folder: Folder, placement: Placement) -> "FillInTheMiddle":
    """Raises CheckpointError."""
    codec, stretch = FolderCodec(folder), _stretch(folder)
    shape = shape_of(folder, qkv_bias=folder.architecture == "Qwen2ForCausalLM")
    prompt = _prompt(folder, codec)
    codec.refuse_unless_within(shape.vocabulary, prompt.end)
    stack = load_stack(folder, shape, placement)
    lengths = ToTheEnd(vocabulary_of(codec, shape, placement))
    filling = Filling(lengths, _RULE, (_SLOTS,), _FILL_TOKENS)
    traits = traits_of(folder, placement, stack, codec, filling)
    return FillInTheMiddle(stack, codec, prompt, traits, stretch)


def _prompt(folder: Folder, codec: FolderCodec) -> Prompt:
    before, between, closing = (codec.specials[mark] for mark in _MARKS[folder.architecture])
    begin, end = codec.role(folder.config, "bos"), codec.role(folder.config, "eos")
    if end is None:
        raise CheckpointError(f"{folder.path} does not say which token ends a text")
    bos = () if begin is None or folder.architecture == "Qwen2ForCausalLM" else (begin,)
    return Prompt((*bos, before), between, closing, end)


def _stretch(folder: Folder) -> float:
    """By what positions are divided, which is taken out of the config: DeepSeek-Coder's way."""
    scaling = folder.config.get("rope_scaling") or {}
    if (scaling.get("rope_type") or scaling.get("type")) != "linear":
        return 1.0
    del folder.config["rope_scaling"]
    return float(scaling["factor"])


class FillInTheMiddle:
    """A causal stack on a device, and how it is asked for a middle."""

    def __init__(
        self,
        stack: Transformer,
        codec: FolderCodec,
        prompt: Prompt,
        traits: Traits,
        stretch: float = 1.0,
    ) -> None:
        self.traits = traits
        self._codec, self._prompt = codec, prompt
        self._read = _Causal(stack, stretch)

    def streams(self, language: str, head: bytes, tail: bytes) -> tuple[list[int], list[int]]:
        """The whole prompt, prefix first, as the prefix; there is no suffix stream."""
        del language
        prompt = self._prompt
        room = CONTEXT_TOKENS - self.traits.fill_tokens - len(prompt.opening) - 2
        limit = room // _SUFFIX_PART
        before = self._codec.encode(head[window_start(head, len(head), room - limit) :])
        behind = self._codec.encode(tail[: window_end(tail, 0, limit)])[:limit]
        marks = engine_ids([prompt.between, prompt.closing])
        opening = engine_ids(prompt.opening)
        return [*opening, *nearest(before, room - limit), marks[0], *behind, marks[1]], []

    def read(self, prefix: Sequence[int], suffix: Sequence[int], done: Sequence[int]) -> Reading:
        del suffix
        context = own_ids([*prefix, *done])
        encoded = self._read.upto(context[:-1])

        def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
            rows_N = wanted_NC.any(1)
            tokens_NC, wanted_NC = tokens_NC[rows_N], wanted_NC[rows_N]
            parts = [
                self._row(context, row_C, wanted_C)
                for row_C, wanted_C in zip(tokens_NC, wanted_NC, strict=True)
            ]
            return torch.cat(parts)

        return Reading(look, encoded, len(context))

    def _row(self, context: list[int], tokens_C: Tensor, wanted_C: Tensor) -> Tensor:
        """Log-probabilities of the wanted slots of one row.

        Those behind the first masked slot cannot be known yet: the text is said to end there.
        """
        masked = (tokens_C == MASK).nonzero()[:, 0].tolist()
        known = int(masked[0]) if masked else len(tokens_C)
        row = own_canvas(tokens_C[:known], 0, self._prompt.end).tolist()
        slots = wanted_C.nonzero()[:, 0]
        within = slots[slots <= known]
        hidden_LD = self._read.last([*context, *row], 1 + known - int(within[0]))
        logits_PV = self._read.stack.logits(hidden_LD[within - within[0]])
        log_probs_PV = engine_log_probs(logits_PV, self._prompt.end)
        unknown_PV = log_probs_PV.new_full((len(slots) - len(within), log_probs_PV.shape[1]), -99.0)
        unknown_PV[:, EOM] = 0.0
        return torch.cat([log_probs_PV, unknown_PV])


class _Causal:
    """A stack that reads left to right, and what it read last."""

    def __init__(self, stack: Transformer, stretch: float) -> None:
        self.stack, self._stretch = stack, stretch
        self._tokens: list[int] = []
        self._past: Past | None = None

    def upto(self, tokens: list[int]) -> int:
        """Have read these; returns how many were not yet."""
        same = _shared(self._tokens, tokens)
        if same < len(tokens):
            self._step(tokens, same)
        return len(tokens) - same

    def last(self, tokens: list[int], count: int) -> Tensor:
        """Hidden states [count, D] of the last tokens, all of them read."""
        same = min(_shared(self._tokens, tokens), len(tokens) - count)
        return self._step(tokens, same)[-count:]

    def _step(self, tokens: list[int], same: int) -> Tensor:
        """Hidden states of the tokens behind the first so many, which were read."""
        device = self.stack.embed_tokens.weight.device
        fresh_1T = torch.tensor([tokens[same:]], device=device)
        places_T = torch.arange(same, len(tokens), device=device)
        seen_1TS = (torch.arange(len(tokens), device=device) <= places_T[:, None])[None]
        past = _cut(self._past, same)
        hidden_1TD, new = self.stack(fresh_1T, places_T[None] / self._stretch, seen_1TS, past)
        self._past = new if past is None else _joined(past, new)
        self._tokens = list(tokens)
        return hidden_1TD[0]


def _shared(first: list[int], second: list[int]) -> int:
    """Length of the longest common prefix."""
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return place
    return min(len(first), len(second))


def _cut(past: Past | None, tokens: int) -> Past | None:
    if past is None or not tokens:
        return None
    return [KeysValues(keys[:, :, :tokens], values[:, :, :tokens]) for keys, values in past]


def _joined(past: Past, new: Past) -> Past:
    return [
        KeysValues(torch.cat([old[0], fresh[0]], 2), torch.cat([old[1], fresh[1]], 2))
        for old, fresh in zip(past, new, strict=True)
    ]
