"""What the gate does for the default model's fills, stage by stage, and what that costs.

    .venv/bin/python -m tests.bench.steering FOLDER [--languages python,go] [--holes 40]

Holes of every kind are cut into files below FOLDER. Each is filled by the engine as it is and with
its fills corrupted: a share of the tokens of each finished row exchanged for another one that the
model thought likely there, before the gate sees them. One row per rate of corruption:

  valid, repaired, cut, rejected   what the gate said; a row adds up to 1
  exact before, after              the first row as decoded, and the answer, equal to the truth
  passes, ms                       looks that mending added, and the gate's time, per request
"""

import argparse
import random
import statistics
from collections.abc import Generator
from pathlib import Path
from unittest.mock import patch

from engine.infill import Engine
from engine.rendezvous import DEFAULT_MODEL
from engine.settle import Fill, Settled, Settler
from engine.train.corpus import SourceFile
from engine.train.items import Item, draw_items
from engine.types import InfillRequest, Suggestion
from grammars import language_for_path

_RATES = (0.0, 0.1, 0.3, 0.6)
_VERDICTS = ("valid", "repaired", "cut", "rejected")
_LONGEST_FILE = 40_000
_BUDGET_MS = 5000.0


def corrupted(fill: Fill, rate: float, rng: random.Random) -> None:
    """Exchange tokens of a row for others that were nearly chosen."""
    row = fill.canvas
    row.tokens_NC = row.tokens_NC.clone()
    for place in range(row.length(0)):
        if rng.random() < rate:
            nearly = row.candidates_NCA[0, place].tolist()
            row.tokens_NC[0, place] = rng.choice(nearly[1:5])


def ask(engine: Engine, item: Item, rate: float, rng: random.Random) -> tuple[str, Suggestion, int]:
    """The first row as it came to the gate, the answer, and the looks that mending took."""
    first: list[str] = []
    looks = 0
    settle = Settler.settle

    def watched(settler: Settler, fills: list[Fill]) -> Generator[object, None, Settled]:
        nonlocal looks
        for fill in fills:
            corrupted(fill, rate, rng)
        first.append(settler.text(fills[0].tokens).decode(errors="replace"))
        steps = settle(settler, fills)
        while True:
            try:
                step = next(steps)
            except StopIteration as finished:
                return finished.value
            looks += 1
            yield step

    request = InfillRequest(
        item.file.text.encode(), item.span, item.file.language, item.max_lines, None, _BUDGET_MS
    )
    with patch.object(Settler, "settle", watched):
        *_, last = engine.infill(request)
    assert isinstance(last, Suggestion)
    return first[0], last, looks


def report(engine: Engine, name: str, items: list[Item], rate: float) -> None:
    """One row of the table."""
    rng = random.Random(0)
    answers = [(item, *ask(engine, item, rate, rng)) for item in items]
    verdicts = [answer.verdict for _, _, answer, _ in answers]
    shares = [f"{verdicts.count(verdict) / len(items):.1%}" for verdict in _VERDICTS]
    before = sum(first.rstrip() == item.truth.rstrip() for item, first, _, _ in answers)
    after = sum(answer.text.rstrip() == item.truth.rstrip() for item, _, answer, _ in answers)
    gate_ms = [answer.timings.syntax_ms for _, _, answer, _ in answers]
    total_ms = [answer.timings.total_ms for _, _, answer, _ in answers]
    tenths = statistics.quantiles(gate_ms, n=20)
    looks = statistics.mean(looks for _, _, _, looks in answers)
    print(
        f"| {name} | {rate:.0%} | {' | '.join(shares)} | {before / len(items):.1%}"
        f" | {after / len(items):.1%} | {looks:.2f} | {tenths[9]:.1f} | {tenths[18]:.1f}"
        f" | {statistics.median(total_ms):.0f} |",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="what the gate does, stage by stage")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--languages", default="python,javascript,typescript,go,rust,java,c")
    parser.add_argument("--holes", type=int, default=40, help="per language and kind")
    given = parser.parse_args()
    engine = Engine.load(DEFAULT_MODEL)
    print(
        "| language | corrupted | valid | repaired | cut | rejected | exact before | exact after"
        " | passes added | gate ms, median | p95 | request ms, median |"
    )
    print("|" + "---|" * 12)
    files: dict[str, list[SourceFile]] = {}
    for path in sorted(given.folder.rglob("*")):
        language = language_for_path(path) if path.is_file() else None
        if language and path.stat().st_size < _LONGEST_FILE:
            text = path.read_bytes().decode(errors="ignore")
            files.setdefault(language.lsp_ids[0], []).append(
                SourceFile(str(path), language.lsp_ids[0], text)
            )
    for name in given.languages.split(","):
        items = draw_items(files.get(name, []), given.holes, 0)
        for rate in _RATES if items else ():
            report(engine, name, items, rate)


if __name__ == "__main__":
    main()
