"""Models that write from left to right and were taught to fill in the middle, before the engine.

The prompt says prefix and suffix, and what is written behind it is the middle. A row of a canvas
is filled one slot a pass, the leftmost first; what was read and written stays in the cache.

Shape letters as in `transformer.py`; C slots of a canvas, P wanted slots, L tokens at the end.

Source: FIM, arXiv:2207.14255.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from engine.families.codec import FolderCodec
from engine.families.folder import Folder
from engine.families.ids import engine_ids, engine_log_probs, own_canvas, own_ids
from engine.families.model import CONTEXT_TOKENS, Facts, Reading, Traits
from engine.families.past import Past, cut, grown
from engine.families.stack import Filling, StackPlan
from engine.families.transformer import Shape, Transformer
from engine.lengths import ToTheEnd
from engine.schedule import Rule, singly
from engine.segments import in_common
from engine.tokenizer import EOM, MASK

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


def left_to_right(folder: Folder, codec: FolderCodec, shape: Shape, prompt: Prompt) -> StackPlan:
    """The plan of such a model."""
    return StackPlan(
        folder=folder,
        codec=codec,
        shape=shape,
        facts=Facts(sees_suffix=True),
        assemble=partial(FillInTheMiddle, prompt=prompt),
        filling=Filling(ToTheEnd, _RULE, (_SLOTS,), _FILL_TOKENS),
    )


class FillInTheMiddle:
    """A causal stack on a device, and how it is asked for a middle."""

    def __init__(
        self, stack: Transformer, codec: FolderCodec, traits: Traits, prompt: Prompt
    ) -> None:
        self.traits = traits
        self._codec, self._prompt = codec, prompt
        self._read = _Causal(stack)

    def streams(self, language: str, head: bytes, tail: bytes) -> tuple[list[int], list[int]]:
        """The whole prompt, prefix first, as the prefix; there is no suffix stream."""
        del language
        prompt = self._prompt
        room = CONTEXT_TOKENS - self.traits.fill_tokens - len(prompt.opening) - 2
        before, behind = self._codec.around(head, tail, room)
        between, closing = engine_ids([prompt.between, prompt.closing])
        return [*engine_ids(prompt.opening), *before, between, *behind, closing], []

    def read(self, prefix: Sequence[int], suffix: Sequence[int], done: Sequence[int]) -> Reading:
        del suffix
        context = own_ids([*prefix, *done])
        encoded = self._read.upto(context[:-1])

        def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
            rows_N = wanted_NC.any(1)
            rows = zip(tokens_NC[rows_N], wanted_NC[rows_N], strict=True)
            return torch.cat([self._row(context, *row) for row in rows])

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

    def __init__(self, stack: Transformer) -> None:
        self.stack = stack
        self._tokens: list[int] = []
        self._past: Past = []

    def upto(self, tokens: list[int]) -> int:
        """Have read these; returns how many were not yet."""
        same = in_common(self._tokens, tokens)
        if same < len(tokens):
            self._step(tokens, same)
        return len(tokens) - same

    def last(self, tokens: list[int], count: int) -> Tensor:
        """Hidden states [count, D] of the last tokens, all of them read."""
        same = min(in_common(self._tokens, tokens), len(tokens) - count)
        return self._step(tokens, same)[-count:]

    def _step(self, tokens: list[int], same: int) -> Tensor:
        """Hidden states of the tokens behind the first so many, which were read."""
        device = self.stack.embed_tokens.weight.device
        fresh_1T = torch.tensor([tokens[same:]], device=device)
        places_T = torch.arange(same, len(tokens), device=device)
        seen_1TS = (torch.arange(len(tokens), device=device) <= places_T[:, None])[None]
        past = cut(self._past, same)
        hidden_1TD, new = self.stack(fresh_1T, places_T[None], seen_1TS, past)
        self._past, self._tokens = grown(past, new), list(tokens)
        return hidden_1TD[0]
