"""A denoiser that needs no weights: it knows the answer, and errs where its script says.

The block of a long hole that it is asked for is the one that its prefix has come to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from engine.families.model import Reading
from engine.families.sfumato import Sfumato
from engine.infill import Engine
from engine.schedule import Rule
from engine.tokenizer import EOM, MASK
from tests.support.tiny_model import CPU, tiny_checkpoint, tiny_denoiser, tiny_tokenizer

_SURE, _NEARLY, _UNSURE = 20.0, 19.0, 1.0


@dataclass(frozen=True)
class Script:
    """What a scripted denoiser says, place by place, as token ids.

    answer   at first
    nearly   what it nearly says in the place of the answer
    again    once some places of a finished canvas were masked again; wants the length to be given,
             and no `order`
    order    places it is sure of at each look, among the masked ones from the left; 0 for all
    """

    answer: Sequence[int]
    nearly: Sequence[int] = ()
    again: Sequence[int] = ()
    order: int = 0


class ScriptedDenoiser(Sfumato):
    """Fills the hole behind the prefix, whatever its context is otherwise.

    base    context tokens in front of the hole; those behind them are blocks filled before
    looks   canvases it was shown, each a list of rows
    """

    def __init__(self, script: Script) -> None:
        super().__init__(tiny_checkpoint(tiny_denoiser()), CPU)
        self.traits = replace(self.traits, together=None)
        self.script = script
        self.base: int | None = None
        self.looks: list[list[list[int]]] = []
        self._seen: set[int] = set()

    def read(self, prefix: Sequence[int], suffix: Sequence[int], done: Sequence[int]) -> Reading:
        """Nothing is made of the tokens."""
        before = [*prefix, *done]
        self.base = len(before) if self.base is None else self.base
        filled = before[self.base :]
        assert filled == list(self.script.answer[: len(filled)]), "an odd prefix"
        return Reading(partial(self._look, len(filled)), 0, len(before) + len(suffix))

    def _look(self, done: int, tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        rows: list[list[int]] = tokens_NC[wanted_NC.any(1)].tolist()
        self.looks.append(rows)
        # with the length given, one row is a block's first look or a mending; more rows weigh it
        mended = len(rows) == 1 and done in self._seen
        self._seen.add(done)
        says = self.script.again if self.script.again and mended else self.script.answer
        scores_NCV = torch.stack([self._row(row, says, done) for row in tokens_NC.tolist()])
        return torch.log_softmax(scores_NCV[wanted_NC], -1)

    def _row(self, row: list[int], says: Sequence[int], done: int) -> Tensor:
        """Scores [C, V] for one canvas, `done` tokens into the hole."""
        masked = [slot for slot, token in enumerate(row) if token == MASK]
        unsure = set(masked[self.script.order :]) if self.script.order else set[int]()
        scores_CV = torch.zeros(len(row), tiny_tokenizer().size)
        for slot in range(len(row)):
            place = done + slot
            if place < len(self.script.nearly):
                scores_CV[slot, self.script.nearly[place]] = _NEARLY
            best = says[place] if place < len(says) else EOM
            scores_CV[slot, best] = _UNSURE if slot in unsure else _SURE
        return scores_CV


def scripted_engine(script: Script, rule: Rule | None = None) -> tuple[Engine, ScriptedDenoiser]:
    """The whole engine around a scripted denoiser; by default nothing is looked up in the text."""
    model = ScriptedDenoiser(script)
    return Engine(model, rule or Rule(guesses=0, passes=10)), model


def tokens_of(text: str) -> list[int]:
    """The ids of a text, in the tiny vocabulary."""
    return tiny_tokenizer().encode(text.encode())
