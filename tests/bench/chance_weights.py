"""Fits the constants of `engine.schedule.chance_nats` to what a model makes of real projects.

    .venv/bin/python -m tests.bench.chance_weights FIT [--model DIR] [--holes 600]

FIT is a folder of projects, one folder each, neither learned from nor held out. Rests of lines,
lines and a few lines are cut from their files, near copies left out, and filled through the whole
engine, with the project at hand and without. Each row of a canvas is then right or wrong, and a
logistic regression says from what: one for rows that began as noise, one for guesses. Prints the
nats per row as it is and as fitted, and the constants. To be run anew for other weights.
"""

import argparse
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from engine import families, infill
from engine.device import place
from engine.infill import Engine
from engine.rendezvous import DEFAULT_MODEL
from engine.schedule import Length, chance_nats
from engine.settle import Fill
from engine.threads import SERVING_THREADS
from engine.train.cli_train import read_sources
from engine.train.evaluate import show_workspaces
from engine.train.items import draw_items, without_copies
from engine.types import Draft, Suggestion
from engine.workspace import Workspaces
from tests.bench.likelihood import maximise

KINDS = ("rest-of-line", "whole-line", "multi-line")
_BUDGET_MS = 60_000.0


class Row(NamedTuple):
    """A row of a canvas: what is known of it, and whether it is what was there."""

    mean_nats: float
    length: Length
    right: bool

    @property
    def features(self) -> list[float]:
        """What the odds are a sum of, in the order of the constants in `chance_nats`."""
        whole_nats = self.mean_nats * self.length.tokens + self.length.nats
        per_token = whole_nats / (self.length.tokens + 1)
        return [1.0, whole_nats if self.length.odds is None else self.length.odds, per_token]


class Listener(Engine):
    """An engine that keeps the rows it filled last, by the chance that each was given."""

    fills: list[Fill]

    def _fill(self, *arguments: Any, **named: Any) -> Generator[Fill, None, list[Fill]]:
        self.fills = yield from super()._fill(*arguments, **named)
        return self.fills


def main() -> None:
    """Collect, fit, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("fit", type=Path)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--holes", type=int, default=600, help="of each kind")
    options = parser.parse_args()
    engine = Listener(families.load(options.model, place("cpu", SERVING_THREADS)))
    rows = list(collect(engine, options.fit, options.holes))
    for name, own in (
        ("noise", [row for row in rows if row.length.odds is None]),
        ("guesses", [row for row in rows if row.length.odds is not None]),
    ):
        features_RX = torch.tensor([row.features for row in own])
        right_R = torch.tensor([float(row.right) for row in own])
        chances = torch.tensor([chance_nats(row.mean_nats, row.length) for row in own]).exp()
        before = F.binary_cross_entropy(chances, right_R).item()
        weights_X = fit(features_RX, right_R)
        after = F.binary_cross_entropy_with_logits(features_RX @ weights_X, right_R).item()
        constants = [round(weight, 2) for weight in weights_X.tolist()]
        print(f"{name}: {len(own)} rows, {right_R.mean():.1%} right, nats per row {before:.4f}")
        print(f"  fitted {after:.4f} with {constants}")


def collect(engine: Listener, folder: Path, holes: int) -> Iterator[Row]:
    """The rows of so many holes of each kind, with the projects at hand and without."""
    files = read_sources([folder])
    items = [item for item in draw_items(without_copies(files), holes, 5) if item.kind in KINDS]
    given: dict[float, tuple[float, Length]] = {}

    def noted(mean_nats: float, length: Length) -> float:
        chance = chance_nats(mean_nats, length)
        given[chance] = mean_nats, length
        return chance

    infill.chance_nats = noted
    for at_hand in (True, False):
        if at_hand:
            show_workspaces(engine, files)
        else:
            engine.workspaces = Workspaces()
        for item in items:
            given.clear()
            _exhaust(engine.infill(item.request(_BUDGET_MS)))
            for fill in engine.fills:
                if evidence := given.get(fill.score_nats):
                    text = engine.tokenizer.decode(fill.tokens).decode(errors="replace")
                    yield Row(*evidence, text.rstrip() == item.truth.rstrip())


def _exhaust(drafts: Generator[Draft | Suggestion, None, None]) -> None:
    for _ in drafts:
        pass


def fit(features_RX: Tensor, right_R: Tensor) -> Tensor:
    """The weights [X] of the greatest likelihood."""
    weights_X = torch.zeros(features_RX.shape[1], requires_grad=True)
    maximise(
        [weights_X], lambda: F.binary_cross_entropy_with_logits(features_RX @ weights_X, right_R)
    )
    return weights_X.detach()


if __name__ == "__main__":
    main()
