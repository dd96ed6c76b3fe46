"""Is a suggestion as likely to be right as it says? Predicted against actual, on held-out code.

    .venv/bin/python -m tests.bench.calibration HELD-OUT... [--holes 150] [--workspace] [--plot PNG]

Cuts holes (the rest of a line, a line, a few lines) from files the model has not seen, fills each
through the whole engine, and compares the probability that comes with the fill with how often such
fills are exactly what was there. Prints one row for each tenth of the predictions, what each
threshold for showing would show, and one JSON line last; draws the same as a picture.
"""

import argparse
import json
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean

from engine.infill import Engine
from engine.rendezvous import DEFAULT_MODEL
from engine.train.cli_train import read_sources
from engine.train.evaluate import show_workspaces
from engine.train.items import Item, draw_items, without_copies
from engine.types import Suggestion

KINDS = ("rest-of-line", "whole-line", "multi-line")
_BUDGET_MS = 60_000.0
THRESHOLDS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
REWARD, COST = 0.75, 0.25
"""What a right suggestion is worth, and what a wrong one costs: the ratio makes showing worth while
from a chance of 25 % on."""


@dataclass(frozen=True)
class Answer:
    """What one hole was filled with: the chance it came with, and whether it was right."""

    kind: str
    chance: float
    right: bool


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--holes", type=int, default=150, help="of each kind")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--plot", type=Path, default=Path("calibration.png"))
    parser.add_argument("--workspace", action="store_true", help="look in each hole's project too")
    options = parser.parse_args()
    engine = Engine.load(options.model)
    files = read_sources(options.sources)
    if options.workspace:
        show_workspaces(engine, files)
        files = without_copies(files)
    items = draw_items(files, options.holes, seed=1)
    found = [_answer(engine, item) for item in items if item.kind in KINDS]
    answers = [answer for answer in found if answer is not None]
    rows = tenths(answers)
    print(f"{len(found)} holes, {len(answers)} filled; {engine.info.model}")
    print("predicted  actual  fills")
    for predicted, actual, count in rows:
        print(f"{predicted:9.1%} {actual:7.1%} {count:6}")
    gains = [(least, *worth(answers, least, len(found))) for least in THRESHOLDS]
    print("shown from  shown  right  worth per 100 requests")
    for least, shown, right, gain in gains:
        print(f"{least:10.0%} {shown:6.1%} {right:6.1%} {gain:7.2f}")
    draw(rows, answers, engine.info.model, options.plot)
    facts = {
        "model": engine.info.model,
        "holes": len(found),
        "calibration_error": round(calibration_error(rows), 4),
        "brier": round(mean((answer.chance - answer.right) ** 2 for answer in answers), 4),
        "thresholds": gains,
    }
    print(json.dumps(facts))


def _answer(engine: Engine, item: Item) -> Answer | None:
    """Fill one hole without hurry; None where nothing is offered."""
    *_, last = engine.infill(item.request(_BUDGET_MS))
    assert isinstance(last, Suggestion)
    if not last.text:
        return None
    right = last.text.rstrip() == item.truth.rstrip()
    return Answer(item.kind, math.exp(last.score_nats), right)


def tenths(answers: list[Answer]) -> list[tuple[float, float, int]]:
    """Mean chance predicted, share that was right, and how many: for ten parts of equal size."""
    ordered = sorted(answers, key=lambda answer: answer.chance)
    edges = [len(ordered) * part // 10 for part in range(11)]
    parts = [ordered[start:end] for start, end in pairwise(edges) if end > start]
    return [
        (mean(answer.chance for answer in part), mean(answer.right for answer in part), len(part))
        for part in parts
    ]


def calibration_error(rows: list[tuple[float, float, int]]) -> float:
    """Mean distance of predicted and actual over the tenths, each by its size."""
    total = sum(count for *_, count in rows)
    return sum(abs(predicted - actual) * count for predicted, actual, count in rows) / total


def worth(answers: list[Answer], least: float, requests: int) -> tuple[float, float, float]:
    """Share of requests with something shown, share of that right, and the worth per 100."""
    shown = [answer for answer in answers if answer.chance >= least]
    right = sum(answer.right for answer in shown)
    gain = REWARD * right - COST * (len(shown) - right)
    return len(shown) / requests, right / max(1, len(shown)), 100 * gain / requests


def draw(
    rows: list[tuple[float, float, int]], answers: list[Answer], model: str, path: Path
) -> None:
    """Predicted against actual, with two standard errors, over where the predictions lie."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (above, below) = pyplot.subplots(
        2, 1, figsize=(6, 6.5), sharex=True, height_ratios=(3, 1)
    )
    predicted, actual, counts = zip(*rows, strict=True)
    errors = [2 * math.sqrt(p * (1 - p) / n) for p, n in zip(actual, counts, strict=True)]
    above.plot([0, 1], [0, 1], color="grey", lw=1, label="as likely as it says")
    above.errorbar(predicted, actual, errors, fmt="o-", capsize=3, label="exactly right")
    above.set(
        ylabel="share exactly right", ylim=(0, 1), title=f"{model}, {len(answers)} held-out fills"
    )
    above.legend()
    below.hist([answer.chance for answer in answers], bins=40, range=(0, 1))
    below.set(xlabel="predicted chance of being right", ylabel="fills", xlim=(0, 1))
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
