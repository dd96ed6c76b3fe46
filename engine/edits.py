"""A model that, while it fills a row, takes slots out and makes room for others, by two tokens.

A row keeps its length: what no longer fits falls off its end, and a gap there is masked.

Source: LLaDA2.2, github.com/inclusionAI/LLaDA2.X, LLaDA2_2_tech_report.pdf, section 3.1, and the
generate of its checkpoints. That draws which place to write otherwise where a row repeats itself;
here it is the least sure one.
"""

import torch
from torch import Tensor

from engine.canvas import Canvas
from engine.lengths import EndOfMiddle
from engine.sampler import Look, Resize, Seen
from engine.vocabulary import Vocabulary

STEPS = 32
"""Passes over which the first masks of a row are shared out; later ones fill every mask."""
_TRIES = 5
"""Places that are written otherwise, at most, where a row would be what it was before."""


class Levenshtein:
    """Lengths as `EndOfMiddle` has them, and edits while a row is filled.

    delete, insert  the engine's ids of the tokens: this slot goes; a masked one comes before it
    """

    def __init__(self, delete: int, insert: int, vocabulary: Vocabulary) -> None:
        self._delete, self._insert, self._vocabulary = delete, insert, vocabulary
        self._ends = EndOfMiddle(vocabulary)

    def resize(self, max_lines: int) -> Resize:
        del max_lines
        return _Editing(self._delete, self._insert, self._vocabulary)

    def nats(self, look: Look, slots: int, most: int, max_lines: int) -> Tensor:
        return self._ends.nats(look, slots, most, max_lines)


class _Editing(Resize):
    """What was written of one canvas so far; another canvas begins anew."""

    def __init__(self, delete: int, insert: int, vocabulary: Vocabulary) -> None:
        self._delete, self._insert = delete, insert
        self.spelled_V = torch.zeros_like(vocabulary.specials_V)
        self.spelled_V[[delete, insert]] = True
        self._canvas: Canvas | None = None

    def refused(self, canvas: Canvas, *, last: bool) -> Tensor:
        """No edits in the pass that fills all, and none of a row that was begun by others."""
        if canvas is not self._canvas:
            self._canvas, self._step = canvas, 0
            self._written: list[set[tuple[int, ...]]] = [set() for _ in canvas.tokens_NC]
        self._before, self._step, self._last = canvas.before, self._step + 1, last
        return self.spelled_V & (canvas.seeded_N[:, None] | last)

    def least(self, canvas: Canvas) -> Tensor:
        """One of the first masks, as many of those that edits made, in the end all."""
        masked_N1 = canvas.masked_NC.sum(1, keepdim=True)
        if self._step > STEPS:
            return masked_N1
        due_N1 = self._step <= (~canvas.known_NC).sum(1, keepdim=True)
        return due_N1 + (canvas.masked_NC & canvas.added_NC).sum(1, keepdim=True)

    def reconsidered(self, canvas: Canvas, seen: Seen, written_NC: Tensor) -> Tensor:
        """Other tokens where a row would become what an earlier pass has written already."""
        if self._last:
            return seen.proposal_P
        proposal_P = seen.proposal_P.clone()
        index_NC = seen.spread(torch.arange(len(proposal_P), device=proposal_P.device))
        fresh_NC = torch.where(written_NC, seen.spread(proposal_P), canvas.tokens_NC)
        chances = seen.spread(seen.chance_P).tolist()
        for row, before in enumerate(canvas.tokens_NC.tolist()):
            after: list[int] = fresh_NC[row].tolist()
            for _ in range(_TRIES):
                changed = [slot for slot, token in enumerate(after) if token != before[slot]]
                if tuple(after) not in self._written[row] or not changed:
                    break
                slot = min(changed, key=chances[row].__getitem__)
                others_V = seen.log_probs_PV[index_NC[row, slot]].clone()
                others_V[after[slot]] = -torch.inf
                after[slot] = int(others_V.argmax())
                proposal_P[index_NC[row, slot]] = after[slot]
            self._written[row].add(tuple(after))
        return proposal_P

    def apply(self, canvas: Canvas) -> None:
        canvas.edit(self._delete, self._insert, self._before)
