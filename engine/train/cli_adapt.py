"""`sfumato train --on PROJECT`: a model made to know one project, beside the one it comes from."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from engine import checkpoint
from engine.device import place
from engine.errors import EngineError
from engine.heap import keep_all_freed_memory
from engine.infill import Engine
from engine.threads import SERVING_THREADS
from engine.train.adapt import Project, divide, draw_holes
from engine.train.cli_train import read_sources, run_with_progress
from engine.train.data import BatchShape
from engine.train.evaluate import Score, as_used
from engine.train.items import KINDS, Item
from engine.train.loop import Run, RunSettings
from engine.train.pack import pack
from engine.train.team import in_a_team

MUON_LR, ADAM_LR = 0.002, 0.001
_HOLES = 40
_NAMES_SHOWN = 5


def run(options: argparse.Namespace) -> None:
    """Adapt a model to a project, and print what that changed on files it did not learn from."""
    if in_a_team():
        raise EngineError("--on takes minutes in one process: start it without torchrun")
    keep_all_freed_memory()
    found = checkpoint.load(options.start)
    project = divide(read_sources([options.on]))
    _tell(project)
    if not (options.out / "packed" / "packed.json").exists():
        options.out.mkdir(parents=True, exist_ok=True)
        found.tokenizer.save(options.out / "tokenizer.json")
        pack(project.learned, found.tokenizer, options.out / "packed", held_out=0.0, seed=0)
    tokens, share = found.context_tokens, options.rate or 1.0
    settings = RunSettings(
        options.minutes,
        BatchShape(options.chunks, tokens, tokens * 7 // 4 // 64 * 64, (16, 16, 32)),
        muon_lr=share * MUON_LR,
        adam_lr=share * ADAM_LR,
        seed=options.seed,
        compiled=False,  # compiling takes as long as the whole training
        title=f"sfumato-{options.on.resolve().name}",
    )
    placement = place(options.device, options.threads)
    training = Run(options.out, found.model.config, settings, placement, found.model)
    run_with_progress(training)
    items = draw_holes(project.held_out, _HOLES)
    before = _measure(options.start, items, "measuring the model as it was")
    after = _measure(options.out / "checkpoint", items, "measuring the adapted model")
    facts = {"before": [asdict(one) for one in before], "after": [asdict(one) for one in after]}
    (options.out / "adaptation.json").write_text(json.dumps(facts, indent=1) + "\n")
    Console(highlight=False).print(_table(before, after, len(project.held_out)))
    print(f"{options.out / 'checkpoint'}: use it with sfumato lsp --model")


def _tell(project: Project) -> None:
    console = Console(stderr=True, highlight=False)
    console.print(f"{len(project.learned)} files to learn, {len(project.held_out)} to measure on")
    if project.secret:
        names = [file.path for file in project.secret]
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        console.print(
            f"left out, they seem to hold secrets: {', '.join(names[:_NAMES_SHOWN])}{more}"
        )


def _measure(model: Path, items: list[Item], title: str) -> list[Score]:
    engine = Engine.load(model, "cpu", SERVING_THREADS)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=len(KINDS))
        return as_used(engine, items, lambda: progress.advance(task))


def _table(before: list[Score], after: list[Score], files: int) -> Table:
    table = Table(title=f"exactly right in {files} files that were not learned, %")
    for name in ("hole", "items", "before", "after"):
        table.add_column(name, justify="left" if name == "hole" else "right")
    for old, new in zip(before, after, strict=True):
        shares = (f"{100 * score.exact:.1f}" for score in (old, new))
        table.add_row(old.kind, str(old.items), *shares)
    return table
