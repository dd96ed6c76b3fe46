"""Does the sampler find the wrong tokens of an otherwise right fill, and put the right ones there?

    .venv/bin/python -m tests.bench.mending HELD-OUT... [--model DIR ...] [--holes 100]

Puts what was there into rests of lines and whole lines of files the model has not seen, makes one
to three of its tokens wrong by putting others of the same file there, and lets the sampler go over
it: in a pass it masks what the model finds less probable than so much, in the next it fills that.
Prints, for each model, number of wrong tokens and threshold: how many of the wrong tokens are
masked, how many of the right ones are, how many holes are right again, and how many of as many
undamaged ones still are.
"""

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import torch
from rich.console import Console
from rich.table import Table

from engine import families
from engine.canvas import Canvas
from engine.device import place
from engine.families import Model
from engine.rendezvous import DEFAULT_MODEL
from engine.sampler import Limits, Look, denoise
from engine.schedule import Rule
from engine.threads import SERVING_THREADS
from engine.train.cli_train import read_sources
from engine.train.items import Item, draw_items

KINDS = ("rest-of-line", "whole-line")
WRONG = (0, 1, 2, 3)
DOUBTFUL = (0.001, 0.01, 0.05)
_TOKENS = range(4, 32)


@dataclass(frozen=True)
class Case:
    """A right fill, a damaged one, and the model's eyes on the text around them."""

    look: Look
    right: list[int]
    damaged: list[int]


@dataclass(frozen=True)
class Outcome:
    """Shares of one hole's wrong and right tokens that were masked, and whether it is right now."""

    found: float
    alarmed: float
    right: bool


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--model", type=Path, nargs="+", default=[DEFAULT_MODEL])
    parser.add_argument("--holes", type=int, default=100, help="of each kind")
    options = parser.parse_args()
    items = draw_items(read_sources(options.sources), options.holes, seed=2)
    items = [item for item in items if item.kind in KINDS]
    table = Table()
    for name in ("model", "wrong", "masked below", "found %", "false alarms %", "right after %"):
        table.add_column(name, justify="left" if name == "model" else "right")
    with torch.inference_mode():
        for path in options.model:
            model = families.load(path, place("cpu", SERVING_THREADS))
            for row in _rows(model, items):
                table.add_row(path.name, *row)
    Console().print(table)


def _rows(model: Model, items: list[Item]) -> Iterator[tuple[str, ...]]:
    for wrong in WRONG:
        outcomes = [
            [_mended(case, model, doubtful) for doubtful in DOUBTFUL]
            for case in _cases(model, items, wrong)  # a look is good until the next one is made
        ]
        for doubtful, own in zip(DOUBTFUL, zip(*outcomes, strict=True), strict=True):
            shares = (
                mean(outcome.found for outcome in own),
                mean(outcome.alarmed for outcome in own),
                mean(outcome.right for outcome in own),
            )
            yield str(wrong), f"{doubtful:g}", *(f"{100 * share:.1f}" for share in shares)


def _cases(model: Model, items: list[Item], wrong: int) -> Iterator[Case]:
    rng = random.Random(wrong)
    codec = model.traits.tokenizer
    for item in items:
        head, tail = item.file.text[: item.start], item.file.text[item.end :]
        right = codec.encode(item.truth.encode())
        if len(right) not in _TOKENS:
            continue
        words = codec.encode(head.encode()[-4096:])
        damaged = list(right)
        for slot in rng.sample(range(len(right)), wrong):
            damaged[slot] = rng.choice([word for word in words if word != right[slot]] or [0])
        streams = model.streams(item.file.language, head.encode(), tail.encode())
        yield Case(model.read(*streams, []).look, right, damaged)


def _mended(case: Case, model: Model, doubtful: float) -> Outcome:
    slots = next(size for size in model.traits.slots if size > len(case.right))
    canvas = Canvas.blank([len(case.right)], slots, torch.device("cpu"))
    filled = torch.tensor(case.damaged)
    unknown = torch.zeros(len(filled), len(model.traits.vocabulary.specials_V))
    canvas.unmask(canvas.masked_NC, filled, unknown)
    rule = Rule(passes=4, polish=2, doubtful=doubtful)
    limits = Limits(model.traits.vocabulary.forbidden(1))
    noise = torch.Generator().manual_seed(0)
    masked = torch.zeros(len(case.right), dtype=torch.bool)
    for state in denoise(case.look, canvas, rule, limits, noise):
        masked |= state.revoked_NC[0, : len(masked)] > 0
    wrong = torch.tensor(case.damaged) != torch.tensor(case.right)
    return Outcome(
        found=float(masked[wrong].float().mean()) if wrong.any() else 1.0,
        alarmed=float(masked[~wrong].float().mean()) if not wrong.all() else 0.0,
        right=canvas.tokens_NC[0, : len(masked)].tolist() == case.right,
    )


if __name__ == "__main__":
    main()
