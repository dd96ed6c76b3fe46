"""A denoiser that needs no weights: it knows the answer, and errs where its script says.

It sees the tokens that the engine's cache gives it: the block of a long hole that it is asked for
is the one that its prefix has come to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.families.sfumato import Sfumato
from engine.infill import Engine
from engine.model import Context, Denoiser, DenoiserConfig, KeysValues, Stream
from engine.schedule import Rule
from engine.tokenizer import EOM, MASK
from tests.support.tiny_model import CPU, tiny_checkpoint, tiny_tokenizer

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


class ScriptedDenoiser(Denoiser):
    """Fills the hole behind `prefix`, whatever its context is otherwise.

    base    context tokens in front of the hole; those behind them are blocks filled before
    looks   canvases it was shown, each a list of rows
    """

    def __init__(self, script: Script, vocabulary: int) -> None:
        super().__init__(DenoiserConfig(vocabulary, 2, 1, 1, 1, hidden=2))
        self.script = script
        self.base: int | None = None
        self.looks: list[list[list[int]]] = []
        self._seen: set[int] = set()

    def encode(
        self,
        tokens_BT: Tensor,
        directions_B: Tensor,
        before_B: Tensor | None = None,
        past: Stream | None = None,
    ) -> tuple[Tensor, Stream]:
        """Nothing is made of the tokens."""
        del directions_B, before_B, past
        blank_BKTE = torch.zeros(*tokens_BT.shape, 2)[:, None]
        return blank_BKTE[:, 0], [KeysValues(blank_BKTE, blank_BKTE)]

    def denoise(self, canvas_BNC: Tensor, before_BN: Tensor, context: Context) -> Tensor:
        """Scores [1, N, C, V]; `logits` passes them on."""
        length = int(context.sight.prefix_BN[0, 0])
        tokens_T = context.prefix_BT[0, :length]
        assert int(tokens_T[-1]) == int(before_BN[0, 0]), "the token before the canvas is the last"
        self.base = length if self.base is None else self.base
        done = length - self.base
        assert tokens_T[self.base :].tolist() == list(self.script.answer[:done]), "an odd prefix"
        rows: list[list[int]] = canvas_BNC[0].tolist()
        self.looks.append(rows)
        # with the length given, one row is a block's first look or a mending; more rows weigh it
        mended = len(rows) == 1 and done in self._seen
        self._seen.add(done)
        says = self.script.again if self.script.again and mended else self.script.answer
        return torch.stack([self._row(row, says, done) for row in rows])[None]

    def logits(self, hidden_XD: Tensor) -> Tensor:
        """What `denoise` gave."""
        return hidden_XD

    def _row(self, row: list[int], says: Sequence[int], done: int) -> Tensor:
        """Scores [C, V] for one canvas, `done` tokens into the hole."""
        masked = [slot for slot, token in enumerate(row) if token == MASK]
        unsure = set(masked[self.script.order :]) if self.script.order else set[int]()
        scores_CV = torch.zeros(len(row), self.config.vocabulary)
        for slot in range(len(row)):
            place = done + slot
            if place < len(self.script.nearly):
                scores_CV[slot, self.script.nearly[place]] = _NEARLY
            best = says[place] if place < len(says) else EOM
            scores_CV[slot, best] = _UNSURE if slot in unsure else _SURE
        return scores_CV


def scripted_engine(script: Script, rule: Rule | None = None) -> tuple[Engine, ScriptedDenoiser]:
    """The whole engine around a scripted denoiser; by default nothing is looked up in the text."""
    model = ScriptedDenoiser(script, tiny_tokenizer().size)
    return Engine(Sfumato(tiny_checkpoint(model), CPU), rule or Rule(guesses=0, passes=10)), model


def tokens_of(text: str) -> list[int]:
    """The ids of a text, in the tiny vocabulary."""
    return tiny_tokenizer().encode(text.encode())
