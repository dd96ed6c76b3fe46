"""What the gate does for the default model's fills, stage by stage, and what that costs.

    .venv/bin/python -m tests.bench.steering FOLDER [--languages python,go] [--holes 40]

Holes of every kind are cut into files below FOLDER that the language's own parser accepts. Each is
decoded once and settled several times: as decoded, and with its rows corrupted, a share of the
tokens exchanged for others that the model thought likely there. One row per language and rate, and
then per kind of hole and rate:

  valid, repaired, cut   what the gate said; `offered` is their sum without what is empty and should
                         not be
  exact before, after    the first row as decoded, and the answer, equal to the truth
  passes, ms, of request looks that mending added; the gate's time on the processor, whatever else
                         runs, and the share of its median in that of the request
  invalid                of what is offered, what the language's own parser refuses: where the
                         buffer is sound without the fill, and where it is not
"""

import argparse
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import torch

from engine.canvas import Canvas
from engine.infill import Engine
from engine.rendezvous import DEFAULT_MODEL
from engine.settle import Fill, Settled, Settler
from engine.threads import SERVING_THREADS
from engine.train.corpus import SourceFile
from engine.train.items import KINDS, Item, draw_items
from engine.types import InfillRequest
from grammars import Gate, Language, language_for
from tests.bench.compilers import JUDGES

_LONGEST_FILE = 40_000
_FILES = 120
_BUDGET_MS = 5000.0
_TITLES = (
    "holes", "corrupted", "valid", "repaired", "cut", "offered", "exact before", "exact after",
    "passes", "ms, median", "p95", "of request", "invalid, sound buffer", "invalid, broken",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What became of one hole at one rate of corruption."""

    item: Item
    rate: float
    first: str
    settled: Settled
    looks: int
    gate_ms: float
    request_ms: float
    strict: bool

    @property
    def offered(self) -> bool:
        """Is there a text to show, or rightly none?"""
        return bool(self.settled.text.strip() or not self.item.truth.strip())

    @property
    def filled(self) -> bytes:
        """The file with the answer in it."""
        text, span = self.item.file.text.encode(), self.item.span
        return text[: span.start] + self.settled.text + text[span.end :]


def corrupted(row: Canvas, rate: float, rng: random.Random) -> Canvas:
    """A copy with a share of its tokens exchanged for others that were nearly chosen."""
    tokens_NC = row.tokens_NC.clone()
    for place, candidates in enumerate(row.lattice().candidates):
        if rng.random() < rate and len(candidates) > 1:
            tokens_NC[0, place] = rng.choice(candidates[1:5])[0]
    return replace(row, tokens_NC=tokens_NC)


def ask(engine: Engine, item: Item, rates: list[float]) -> list[Answer]:
    """One answer per rate, all from the same decoding."""
    language = language_for(item.file.language)
    assert language
    text, span = item.file.text.encode(), item.span
    answers: list[Answer] = []
    settle = Settler.settle

    def at_every_rate(settler: Settler, fills: list[Fill]) -> Generator[Fill, None, Settled]:
        for rate in rates:
            rng = random.Random(f"{item.file.path} {span.start} {rate}")
            rows = [replace(fill, canvas=corrupted(fill.canvas, rate, rng)) for fill in fills]
            began_s = time.process_time()
            fresh = replace(
                settler,
                gate=Gate(language, text, span.start, span.end),
                noise=torch.Generator().manual_seed(0),
                deadline=time.monotonic() + _BUDGET_MS / 1000,
            )
            settled, looks = _exhausted(settle(fresh, rows))
            gate_ms = (time.process_time() - began_s) * 1000
            first = settler.text(rows[0].tokens).decode(errors="replace")
            assert isinstance(fresh.gate, Gate)
            strict = fresh.gate.strict
            answers.append(Answer(item, rate, first, settled, looks, gate_ms, 0.0, strict))
        yield from ()
        return answers[0].settled

    request = InfillRequest(text, span, item.file.language, item.max_lines, None, _BUDGET_MS)
    began_s = time.process_time()
    with patch.object(Settler, "settle", at_every_rate):
        list(engine.infill(request))
    settled_ms = sum(answer.gate_ms for answer in answers)
    decoded_ms = (time.process_time() - began_s) * 1000 - settled_ms
    return [replace(answer, request_ms=decoded_ms + answer.gate_ms) for answer in answers]


def _exhausted(steps: Generator[Fill, None, Settled]) -> tuple[Settled, int]:
    """The answer, and how many looks it took."""
    looks = 0
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            return finished.value, looks
        looks += 1


def report(name: str, answers: list[Answer]) -> None:
    """One row of the table per rate."""
    for rate in sorted({answer.rate for answer in answers}):
        own = [answer for answer in answers if answer.rate == rate]
        verdicts = [answer.settled.verdict for answer in own if answer.offered]
        stages = [verdicts.count(verdict) for verdict in ("valid", "repaired", "cut")]
        before = sum(answer.first.rstrip() == answer.item.truth.rstrip() for answer in own)
        truths = [answer.item.truth.rstrip().encode() for answer in own]
        after = sum(a.settled.text.rstrip() == t for a, t in zip(own, truths, strict=True))
        shares = [f"{part / len(own):.1%}" for part in (*stages, len(verdicts), before, after)]
        gate_ms = [answer.gate_ms for answer in own]
        median_ms = statistics.median(gate_ms)
        request_ms = statistics.median(answer.request_ms for answer in own)
        looks = statistics.mean(answer.looks for answer in own)
        cells = [
            name, f"{rate:.0%}", *shares, f"{looks:.2f}", f"{median_ms:.1f}",
            f"{statistics.quantiles(gate_ms, n=20)[18]:.1f}", f"{median_ms / request_ms:.1%}",
            *_refused(own),
        ]  # fmt: skip
        print(f"| {' | '.join(cells)} |", flush=True)


def _refused(answers: list[Answer]) -> Iterator[str]:
    """Of what is offered, the share that the language's own parser refuses."""
    for strict in (True, False):
        shown = [answer for answer in answers if answer.offered and answer.strict == strict]
        languages = {answer.item.file.language for answer in shown}
        refused = 0
        for name in languages:
            language = language_for(name)
            assert language
            own = [answer.filled for answer in shown if answer.item.file.language == name]
            refused += [*JUDGES[language.id](own)].count(False)
        yield f"{refused / len(shown):.1%} of {len(shown)}" if shown else "none"


def sound_files(language: Language, folder: Path) -> list[SourceFile]:
    """Up to _FILES files that the language's own parser accepts."""
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in language.suffixes]
    random.Random(0).shuffle(paths)
    paths = [path for path in paths if 100 < path.stat().st_size < _LONGEST_FILE][:_FILES]
    texts = [path.read_bytes().decode(errors="ignore") for path in paths]
    verdicts = JUDGES[language.id]([text.encode() for text in texts])
    found = zip(paths, texts, verdicts, strict=True)
    return [
        SourceFile(str(path), language.lsp_ids[0], text) for path, text, valid in found if valid
    ]


def show_rejected(answers: list[Answer], count: int) -> None:
    """The first of those for which there was nothing to offer."""
    for answer in [answer for answer in answers if not answer.offered][:count]:
        item = answer.item
        print(f"--- {item.file.path} {item.kind} at {item.start}, corrupted {answer.rate:.0%}")
        around = item.file.text[item.start - 60 : item.start], item.file.text[item.end :][:60]
        print(f"    {around[0]!r} | {around[1]!r}, truth {item.truth!r}, decoded {answer.first!r}")


def own_sources(language: Language, folder: Path) -> list[SourceFile]:
    """`sound_files`; SystemExit, one sentence, where the language's own parser does not run."""
    try:
        return sound_files(language, folder)
    except (FileNotFoundError, subprocess.CalledProcessError):
        sys.exit(f"{language.id}: its parser does not run here, see tests/bench/compilers.py")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="what the gate does, stage by stage")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--languages", default="python,javascript,typescript,go,rust,java,c,cpp")
    parser.add_argument("--holes", type=int, default=40, help="per language and kind")
    parser.add_argument("--rates", default="0,0.1,0.3,0.6")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, help="so many holes left empty, each row")
    given = parser.parse_args()
    rates = [float(rate) for rate in given.rates.split(",")]
    engine = Engine.load(DEFAULT_MODEL, threads=SERVING_THREADS)
    print(f"| {' | '.join(_TITLES)} |\n|{'---|' * len(_TITLES)}")
    answers: list[Answer] = []
    for name in given.languages.split(","):
        language = language_for(name)
        if language is None:
            parser.error(f"no grammar for {name}")
        items = draw_items(own_sources(language, given.folder), given.holes, given.seed)
        own = [answer for item in items for answer in ask(engine, item, rates)]
        report(name, own)
        show_rejected(own, given.show)
        answers += own
    for kind in KINDS:
        report(kind, [answer for answer in answers if answer.item.kind == kind])


if __name__ == "__main__":
    main()
