"""Writing a part of a text anew: what the denoiser doubts most is masked, the rest stays.

A draft that is longer than a canvas is gone through block by block. Each block is seen between what
became of those before it and the draft of those behind it.
"""

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import torch

from engine.canvas import Canvas
from engine.sampler import Limits, Look, denoise, judge
from engine.schedule import Length, Rule, chance_nats
from engine.settle import Fill, Settled, Settler
from engine.tokenizer import MASK

_SLOTS, _BLOCK = 32, 28
"""Slots of a canvas at most, and tokens of a draft in it; what is left is room to grow."""

LookBetween = Callable[[list[int], list[int]], Look]
"""The denoiser in the hole, between these tokens of it and those."""


@dataclass(frozen=True, slots=True)
class Redraft:
    """A draft of at least one token, and what going over it takes; `strength` as requested.

    slots  sizes of a canvas, smallest first
    """

    draft: list[int]
    strength: float
    slots: tuple[int, ...]
    look_between: LookBetween
    settler: Settler
    rule: Rule
    limits: Limits
    noise: torch.Generator

    def steps(self) -> Generator[Fill, None, tuple[list[Fill], Settled]]:
        """The draft after each pass; returns the fills of the last block and the answer.

        A block of which nothing sound was made stays as it was.
        """
        done: list[int] = []
        fills: list[Fill] = []
        answer: Settled | None = None
        for start in range(0, len(self.draft), _BLOCK):
            if fills and time.monotonic() >= self.limits.deadline:
                break
            block, rest = self.draft[start : start + _BLOCK], self.draft[start + _BLOCK :]
            fills = yield from self._fills(done, block, rest)
            settled = yield from self.settler.settle(fills)
            if settled.verdict in ("cut", "rejected"):
                done = [*done, *block]
            else:
                done, answer = settled.tokens[: len(settled.tokens) - len(rest)], settled
        return fills, answer or Settled(b"", "rejected", fills[0].score_nats)

    def _fills(
        self, done: list[int], block: list[int], rest: list[int]
    ) -> Generator[Fill, None, list[Fill]]:
        """Ways to write one block, best first."""
        look = self.look_between(done, rest)
        rows = list(variants(self._doubted(look, block), self.rule.lengths))
        canvas = self._seeded(rows)
        for _ in denoise(look, canvas, self.rule, self.limits, self.noise):
            yield Fill(done, canvas, look, after=rest)
        judge(look, canvas, self.limits)
        chances = [
            chance_nats(canvas.mean_nats(index), Length(len(row), 0.0))
            for index, row in enumerate(rows)
        ]
        fills = [
            Fill(done, canvas.row(index), look, chance, rest)
            for index, chance in enumerate(chances)
        ]
        fills.sort(key=lambda fill: -fill.score_nats)
        yield fills[0]
        return fills

    def _seeded(self, rows: list[list[int]]) -> Canvas:
        """The smallest canvas that holds them."""
        longest = max(len(row) for row in rows)
        slots = next((slots for slots in self.slots if longest <= slots), _SLOTS)
        canvas = Canvas.blank([len(row) for row in rows], slots, self.noise.device)
        for index, row in enumerate(rows):
            canvas.seed(index, row)
        return canvas

    def _doubted(self, look: Look, block: list[int]) -> list[int]:
        """The block with its share of places masked, those the denoiser would not have chosen."""
        canvas = self._seeded([block])
        judge(look, canvas, self.limits)
        nats: list[float] = canvas.nats_NC[0, : len(block)].tolist()
        count = round(self.strength * len(block))
        doubted = set(sorted(range(len(block)), key=nats.__getitem__)[:count])
        return [MASK if place in doubted else token for place, token in enumerate(block)]


def variants(row: list[int], count: int) -> Iterator[list[int]]:
    """Up to `count` rows: as it is, its longest run of masks longer by one, shorter by one, ...

    Only the row itself where nothing is masked, or where a run would vanish.
    """
    yield row
    start, end = longest_run(row)
    for place in range(1, count):
        change = (place + 1) // 2 if place % 2 else -(place // 2)
        if end > start and end - start + change > 0 and len(row) + change <= _SLOTS:
            yield [*row[:start], *[MASK] * (end - start + change), *row[end:]]


def longest_run(row: list[int]) -> tuple[int, int]:
    """Start and end of the first longest run of masks; both 0 where nothing is masked."""
    best = (0, 0)
    start = 0
    for place, token in enumerate(row):
        if token != MASK:
            start = place + 1
        elif place + 1 - start > best[1] - best[0]:
            best = (start, place + 1)
    return best
