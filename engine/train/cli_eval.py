"""`sfumato eval`: a model against code it has not seen."""

import argparse
import json
import random
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from engine.checkpoint import load
from engine.device import place
from engine.errors import CorpusError
from engine.families import is_ours
from engine.infill import Engine
from engine.remote import endpoint
from engine.remote.patient import Patient
from engine.shelf import model_folder
from engine.threads import SERVING_THREADS
from engine.train.cli_train import read_sources
from engine.train.corpus import SourceFile
from engine.train.data import BatchShape
from engine.train.evaluate import (
    PACES,
    Score,
    as_used,
    evaluate,
    hurried,
    paced,
    show_workspaces,
)
from engine.train.items import KINDS, draw_items, without_copies
from engine.train.loop import validation_loss
from engine.train.mix import MIX
from engine.train.pace import draw_pace
from engine.train.pack import pack_files
from engine.train.problems import read_problems, solve
from engine.train.sandbox import refusal
from engine.types import EngineInfo

_PROBLEM_FILES = (".jsonl", ".jsonl.gz")


def run(options: argparse.Namespace) -> None:
    """Score the model on problems in JSON lines, or on holes cut from the sources."""
    options.model = model_folder(options.model)
    problems = [source for source in options.sources if source.name.endswith(_PROBLEM_FILES)]
    if problems and len(options.sources) > 1:
        raise CorpusError(f"{problems[0]} holds problems: measure on it alone, or on folders")
    if problems:
        _run_problems(options, problems[0])
    elif endpoint.is_in(options.model):
        _run_server(options)
    else:
        _run_holes(options)


def _run_problems(options: argparse.Namespace, path: Path) -> None:
    problems = read_problems(path)
    engine = Engine.load(options.model, options.device, SERVING_THREADS)
    why_not = refusal() if any(problem.trials for problem in problems) else None
    with Progress(console=Console(stderr=True)) as progress:
        if why_not:
            progress.console.print(why_not, highlight=False)
        task = progress.add_task("solving", total=2 * len(problems))
        results = solve(
            engine, engine.tokenizer, problems, lambda: progress.advance(task), tested=not why_not
        )
    table = Table(title=f"{path.name}, %")
    for name in ("length", "problems", "exact", "tested", "pass@1"):
        table.add_column(name, justify="left" if name == "length" else "right")
    for one in results:
        passed = "" if one.passed is None else f"{100 * one.passed:.1f}"
        exact = f"{100 * one.exact:.1f}"
        table.add_row(one.way, str(one.problems), exact, str(one.tested), passed)
    Console().print(table)
    if options.json:
        facts = {"model": asdict(engine.info), "results": [asdict(one) for one in results]}
        options.json.write_text(json.dumps(facts, indent=1) + "\n")


def _run_holes(options: argparse.Namespace) -> None:
    engine = Engine.load(options.model, options.device, SERVING_THREADS)
    files = read_sources(options.sources)
    if options.workspace:
        show_workspaces(engine, files)
    measured = without_copies(files) if options.workspace else files
    items = draw_items(measured, options.items, options.seed)
    loss = _held_out_loss(options, files) if is_ours(options.model) else None
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("evaluating", total=3 * len(KINDS))
        scores = evaluate(
            engine, engine.tokenizer, items, lambda: progress.advance(task), options.seconds * 1000
        )
        if options.budgets:
            task = progress.add_task("in little time", total=len(KINDS))
            scores += hurried(engine, items, lambda: progress.advance(task))
        if options.pace:
            task = progress.add_task("at six paces", total=len(PACES) * len(KINDS))
            at_paces = paced(engine, engine.tokenizer, items, lambda: progress.advance(task))
            draw_pace(at_paces, options.pace)
            scores += at_paces
    _report(options, engine.info, scores, loss)


def _run_server(options: argparse.Namespace) -> None:
    """Somebody else's server: of that is known what it answers, and no more."""
    items = draw_items(read_sources(options.sources), options.items, options.seed)
    console = Console(stderr=True)
    with closing(Patient.load(options.model)) as engine, Progress(console=console) as progress:
        task = progress.add_task("asking", total=len(KINDS))
        scores = as_used(engine, items, lambda: progress.advance(task), options.seconds * 1000)
    _report(options, engine.info, scores)


def _report(
    options: argparse.Namespace, info: EngineInfo, scores: list[Score], loss: float | None = None
) -> None:
    Console(width=max(100, Console().width)).print(_table(scores))
    if loss is not None:
        print(f"{info.model}: canvas loss {loss:.3f} nats per token")
    if options.json:
        facts = {
            "model": asdict(info),
            "canvas_loss_nats": loss,
            "scores": [asdict(score) for score in scores],
        }
        options.json.write_text(json.dumps(facts, indent=1) + "\n")


def _held_out_loss(options: argparse.Namespace, files: list[SourceFile]) -> float | None:
    found = load(options.model)
    packed = {
        language: pack_files(
            [file for file in files if file.language == language][:200],
            found.tokenizer,
            random.Random(options.seed),
        )
        for language in {file.language for file in files}
    }
    placement = place(options.device)
    shape = BatchShape(4, found.context_tokens, found.context_tokens * 7 // 4 // 64 * 64, (16,))
    return validation_loss(found.model.to(placement.device), packed, MIX, shape, placement)


def _table(scores: list[Score]) -> Table:
    table = Table(title="share exactly right, edit similarity, tokens per forward pass")
    for name in ("hole", "filled by", "items", "exact", "similarity", "offered", "tokens/pass"):
        table.add_column(name, justify="left" if name in ("hole", "filled by") else "right")
    for score in scores:
        pace = "" if score.tokens_per_pass is None else f"{score.tokens_per_pass:.2f}"
        shares = (f"{100 * share:.1f}" for share in (score.exact, score.similarity, score.offered))
        table.add_row(score.kind, score.way, str(score.items), *shares, pace)
    return table
