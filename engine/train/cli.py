"""`sfumato tokenizer`, `sfumato train` and `sfumato eval`."""

import argparse
import json
import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from engine.checkpoint import load
from engine.device import place
from engine.errors import CorpusError
from engine.infill import Engine
from engine.model import DenoiserConfig
from engine.rendezvous import DEFAULT_MODEL
from engine.threads import SERVING_THREADS
from engine.tokenizer import Tokenizer
from engine.train.corpus import SourceFile, source_files
from engine.train.curve import draw_curve
from engine.train.data import BatchShape
from engine.train.evaluate import Score, evaluate
from engine.train.items import KINDS, draw_items
from engine.train.loop import MIX, Report, Run, RunSettings, validation_loss
from engine.train.pack import pack, pack_files

_SAMPLE_CHARACTERS = 60_000_000
"""Text a tokenizer is trained on; more changes little and takes memory."""


def main(arguments: Sequence[str]) -> int:
    """Run one of the three commands. Raises EngineError, each in one sentence."""
    options = _parser().parse_args(arguments)
    {"tokenizer": _tokenizer, "train": _train, "eval": _eval}[options.command](options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sfumato")
    commands = parser.add_subparsers(dest="command", required=True)

    tokenizer = commands.add_parser("tokenizer", help="learn a vocabulary from code")
    tokenizer.add_argument("sources", type=Path, nargs="+", metavar="SOURCE")
    tokenizer.add_argument("--out", type=Path, required=True, metavar="FILE")
    tokenizer.add_argument("--vocabulary", type=int, default=8192, metavar="TOKENS")

    train = commands.add_parser("train", help="train a denoiser on folders or git repositories")
    train.add_argument("sources", type=Path, nargs="*", metavar="SOURCE")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run's folder")
    train.add_argument("--minutes", type=_above_zero, default=60.0, help="time to train in all")
    train.add_argument("--device", default="auto", help="cpu, cuda, auto (default)")
    train.add_argument("--threads", type=int)
    train.add_argument("--vocabulary", type=int, default=8192, metavar="TOKENS")
    train.add_argument("--width", type=_multiple_of_64, default=256)
    train.add_argument("--layers", type=_count, default=4)
    train.add_argument("--chunks", type=_count, default=4, help="chunks of text per step")
    train.add_argument("--tokens", type=_multiple_of_64, default=512, help="tokens per chunk")
    train.add_argument("--seed", type=int, default=0)

    evaluation = commands.add_parser("eval", help="measure a model on code it has not seen")
    evaluation.add_argument("sources", type=Path, nargs="+", metavar="SOURCE")
    evaluation.add_argument("--model", type=Path, default=DEFAULT_MODEL, metavar="DIR")
    evaluation.add_argument("--device", default="cpu")
    evaluation.add_argument("--items", type=int, default=150, help="holes of each kind")
    evaluation.add_argument("--seed", type=int, default=0)
    evaluation.add_argument("--json", type=Path, metavar="FILE", help="also write the scores here")
    return parser


def _above_zero(word: str) -> float:
    if not (number := float(word)) > 0:
        raise argparse.ArgumentTypeError(f"{word} is not above 0")
    return number


def _count(word: str) -> int:
    if (number := int(word)) < 1:
        raise argparse.ArgumentTypeError(f"{word} is less than 1")
    return number


def _multiple_of_64(word: str) -> int:
    if (number := _count(word)) % 64:
        raise argparse.ArgumentTypeError(f"{word} is not a multiple of 64")
    return number


def _tokenizer(options: argparse.Namespace) -> None:
    Tokenizer.train(_sample(_files(options.sources)), options.vocabulary).save(options.out)
    print(f"{options.out}: {options.vocabulary} tokens")


def _train(options: argparse.Namespace) -> None:
    placement = place(options.device, options.threads)
    _prepare(options)
    vocabulary = Tokenizer.load(options.out / "tokenizer.json").size
    heads = max(1, options.width // 64)
    config = DenoiserConfig(
        vocabulary,
        options.width,
        options.layers,
        heads,
        heads // 2 or 1,
        hidden=options.width * 11 // 4,
        pointer=True,
    )
    slots = options.tokens * 7 // 4 // 64 * 64
    settings = RunSettings(
        options.minutes,
        BatchShape(options.chunks, options.tokens, slots, (16, 16, 32)),
        seed=options.seed,
        compiled=placement.device.type != "cpu" or shutil.which("c++") is not None,
    )
    run = Run(options.out, config, settings, placement)
    if run.step:
        print(f"resumed at step {run.step}, {run.seconds / 60:.1f} of {options.minutes:g} minutes")
    _run_with_progress(run)
    draw_curve(options.out)
    print(f"{options.out / 'checkpoint'}: {run.step} steps, {run.tokens / 1e6:.2f}M tokens")


def _prepare(options: argparse.Namespace) -> None:
    """Tokenizer and packed tokens of the run, where they are not there from before."""
    folder: Path = options.out
    done = (folder / "packed" / "packed.json").exists()
    if done:
        return
    if not options.sources:
        raise CorpusError(f"{folder} holds no packed tokens yet: name the folders to train on")
    files = _files(options.sources)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "tokenizer.json").exists():
        Tokenizer.train(_sample(files), options.vocabulary).save(folder / "tokenizer.json")
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    pack(files, tokenizer, folder / "packed", held_out=0.005, seed=options.seed)


def _files(sources: list[Path]) -> list[SourceFile]:
    files = list(source_files(sources))
    if not files:
        named = ", ".join(map(str, sources))
        raise CorpusError(f"no usable source file in {named}: see engine/train/corpus.py")
    size = sum(len(file.text) for file in files)
    print(f"{len(files)} files, {size / 1e6:.1f} MB of code", file=sys.stderr)
    return files


def _sample(files: list[SourceFile]) -> Iterator[str]:
    """Texts up to the sample's size, the mix of a training run among the languages."""
    left = {name: share * _SAMPLE_CHARACTERS for name, share in MIX.items()}
    for file in random.Random(0).sample(files, len(files)):
        if left.get(file.language, 0) > 0:
            left[file.language] -= len(file.text)
            yield file.text


def _run_with_progress(run: Run) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("training", total=1.0, facts="compiling")
        minutes = run.settings.minutes

        def show(row: Report) -> None:
            facts = (
                f"loss {row.loss:.3f}  canvas {row.canvas:.3f}  {row.tokens_per_s:,.0f} tokens/s"
                f"  {max(0.0, minutes - row.minutes):.1f} min left"
            )
            progress.update(task, completed=row.progress, facts=facts)
            if not progress.console.is_terminal:
                progress.console.print(f"step {row.step}  {facts}", highlight=False)

        run.train(show)


def _eval(options: argparse.Namespace) -> None:
    engine = Engine.load(options.model, options.device, SERVING_THREADS)
    tokenizer = Tokenizer.load(options.model / "tokenizer.json")
    files = _files(options.sources)
    items = draw_items(files, options.items, options.seed)
    loss = _held_out_loss(options, files)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("evaluating", total=3 * len(KINDS))
        scores = evaluate(engine, tokenizer, items, lambda: progress.advance(task))
    Console(width=max(100, Console().width)).print(_table(scores))
    print(f"{engine.info.model}: canvas loss {loss or float('nan'):.3f} nats per token")
    if options.json:
        facts = {
            "model": asdict(engine.info),
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
