"""Fits the weights of `engine/lookup.py` to holes of real projects, and says what they are worth.

    .venv/bin/python -m tests.bench.lookup_weights FIT CHECK [--holes 120]

FIT and CHECK are folders of projects, one folder each, none of them held out; no model is asked.
Holes (the rest of a line, a line, a few lines, the inside of brackets) are cut from their files,
near copies left out, and looked up in their own file, with their project and without. The
likelihood of what was there is maximised over FIT. Of CHECK it prints how often the first guess is
right, and among the holes where it is surest; for each set of weights.
"""

import argparse
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from engine.lookup import (
    IN_BRACKETS,
    SEVERAL_LINES,
    WITHIN_A_LINE,
    Evidence,
    Site,
    Weights,
    evidence,
    of_none,
)
from engine.train.corpus import source_files
from engine.train.items import Item, draw_items, without_copies
from engine.types import WorkspaceChange, WorkspaceFile
from engine.workspace import Workspaces
from tests.bench.likelihood import maximise

_SEVERAL = 10
WEIGHTS = {"one line": WITHIN_A_LINE, "several": SEVERAL_LINES, "in brackets": IN_BRACKETS}
LINES = {
    "rest-of-line": (1,),
    "whole-line": (1, _SEVERAL),
    "multi-line": (_SEVERAL,),
    "in-brackets": (1,),
}
"""How many lines are allowed, by kind of hole: where several are, one may be right."""
MOST_FILES = 1_500
COVERAGES = (0.1, 0.2, 0.3, 0.4, 0.5, 1.0)
AMPLE_BYTES = 2**30


class Choice(NamedTuple):
    """A hole: what was found for it, the features of none, what was there, weighed by what."""

    found: dict[bytes, Evidence]
    none: tuple[float, ...]
    truth: bytes
    weights: Weights


class Choices(NamedTuple):
    """P places of F fills of H holes as tensors.

    places_PX, fill_P   features of a place, and its fill
    fills_FX, hole_F    features of a fill, and its hole
    nones_HX, truth_H   features of none, and the right fill, or -1
    """

    places_PX: Tensor
    fill_P: Tensor
    fills_FX: Tensor
    hole_F: Tensor
    nones_HX: Tensor
    truth_H: Tensor


class Fitted(NamedTuple):
    """Weights as tensors."""

    place: Tensor
    fill: Tensor
    none: Tensor


def main() -> None:
    """Collect, fit, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("fit", type=Path)
    parser.add_argument("check", type=Path)
    parser.add_argument("--holes", type=int, default=120, help="of each kind and project")
    options = parser.parse_args()
    learned = list(collect(options.fit, options.holes))
    checked = list(collect(options.check, options.holes))
    for name, weights in WEIGHTS.items():
        print(name)
        check = tensors([one for one in checked if one.weights is weights])
        tell("as it is", check, Fitted(*map(torch.tensor, weights)))
        found = fit(tensors([one for one in learned if one.weights is weights]), weights)
        tell("fitted", check, found)
        for part, values in found._asdict().items():
            print(part, [round(value, 3) for value in values.tolist()])


def collect(folder: Path, holes: int) -> Iterator[Choice]:
    """What is found for holes of each project."""
    for project in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = list(source_files([project]))
        files = random.Random(0).sample(files, min(len(files), MOST_FILES))
        kept = tuple(WorkspaceFile(file.path, file.language, file.text.encode()) for file in files)
        workspaces = Workspaces(AMPLE_BYTES)
        workspaces.change(WorkspaceChange(project.name, kept))
        for item in draw_items(without_copies(files), holes, seed=1):
            for max_lines in LINES.get(item.kind, ()):
                yield from choices(item, max_lines, workspaces)


def choices(item: Item, max_lines: int, workspaces: Workspaces) -> Iterator[Choice]:
    """What is found for one hole, in its project and in its file alone."""
    truth, request = item.truth.rstrip().encode(), item.request(budget_ms=math.inf)
    if site := Site.of(request.text, request.hole, max_lines):
        for shelves in (workspaces.around(request), []):
            found = evidence(site, shelves)
            none = of_none(site, len(found), is_alone=not shelves)
            yield Choice(found, none, truth, site.weights)


def tensors(of: list[Choice]) -> Choices:
    """The choices as tensors."""
    fills = [(hole, fill) for hole, one in enumerate(of) for fill in one.found]
    number = {pair: index for index, pair in enumerate(fills)}
    places = [
        (number[hole, fill], place) for hole, fill in fills for place in of[hole].found[fill].places
    ]
    return Choices(
        torch.tensor([place for _, place in places]),
        torch.tensor([fill for fill, _ in places]),
        torch.tensor([of[hole].found[fill].fill for hole, fill in fills]),
        torch.tensor([hole for hole, _ in fills]),
        torch.tensor([one.none for one in of]),
        torch.tensor([number.get((hole, one.truth), -1) for hole, one in enumerate(of)]),
    )


def log_chances(of: Choices, weights: Fitted) -> tuple[Tensor, Tensor]:
    """Log-probability of each fill [F], and of none [H]."""
    fills, holes = len(of.fills_FX), len(of.nones_HX)
    best_F = torch.full((fills,), float("-inf")).scatter_reduce(
        0, of.fill_P, of.places_PX @ weights.place, "amax"
    )
    score_F = best_F + of.fills_FX @ weights.fill
    none_H = of.nones_HX @ weights.none
    total_H = none_H.exp().index_add(0, of.hole_F, score_F.exp()).log()
    assert total_H.shape == (holes,)
    return score_F - total_H[of.hole_F], none_H - total_H


def nats(of: Choices, weights: Fitted) -> Tensor:
    """Mean negative log-probability of what was there."""
    fill_F, none_H = log_chances(of, weights)
    return -torch.where(of.truth_H >= 0, fill_F[of.truth_H.clamp(min=0)], none_H).mean()


def fit(of: Choices, shape: Weights) -> Fitted:
    """The weights with the greatest likelihood, as many as there are."""
    weights = Fitted(*(torch.zeros(len(part), requires_grad=True) for part in shape))
    maximise(weights, lambda: nats(of, weights))
    return Fitted(*(each.detach() for each in weights))


def tell(name: str, of: Choices, weights: Fitted) -> None:
    """How often the first guess is right, by how sure it is."""
    chance_F, _ = log_chances(of, weights)
    holes = len(of.truth_H)
    best_H = torch.full((holes,), float("-inf")).scatter_reduce(0, of.hole_F, chance_F, "amax")
    right_H = (of.truth_H >= 0) & (chance_F[of.truth_H.clamp(min=0)] >= best_H)
    surest = right_H[best_H.argsort(descending=True)].float()
    shares = (f"{surest[: round(holes * part)].mean():.1%} of {part:.0%}" for part in COVERAGES)
    print(f"{name}: {nats(of, weights):.3f} nats, {holes} holes; right: {', '.join(shares)}")


if __name__ == "__main__":
    main()
