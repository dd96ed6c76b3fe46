"""`sfumato train` and `sfumato tokenizer`: from folders of code to a checkpoint."""

import argparse
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from engine import checkpoint
from engine.device import Placement, place
from engine.errors import CorpusError
from engine.heap import keep_all_freed_memory
from engine.model import Denoiser, DenoiserConfig
from engine.tokenizer import Tokenizer
from engine.train.corpus import SourceFile, source_files
from engine.train.curve import draw_curve
from engine.train.data import BatchShape
from engine.train.loop import Run, RunSettings
from engine.train.mean import best_mean
from engine.train.meter import Report
from engine.train.mix import MIX, SAMPLE_SIZE, sample
from engine.train.optim import ADAM_LR, MUON_LR
from engine.train.pack import pack, read_packed, refer
from engine.train.team import Team, own_device, own_threads, team

_RATE_FROM = 0.5
"""With the full rate a trained model forgets more than an hour on a processor teaches it."""


def run_tokenizer(options: argparse.Namespace) -> None:
    """Learn a vocabulary and write it."""
    _learn_vocabulary(read_sources(options.sources), options.vocabulary, options.out)
    print(f"{options.out}: {options.vocabulary} tokens")


def run(options: argparse.Namespace) -> None:
    """Train, or take up, the run in the folder `--out`; under torchrun, in all its processes."""
    keep_all_freed_memory()
    with team(options.device) as together:
        placement = place(own_device(options.device), own_threads(options.threads))
        if together.leads:
            _prepare(options)
        together.meet()
        _train(options, placement, together)


def _train(options: argparse.Namespace, placement: Placement, together: Team) -> None:
    start_from = checkpoint.load(options.start).model if options.start else None
    config = start_from.config if start_from else _fresh_config(options)
    slots = options.tokens * 7 // 4 // 64 * 64
    share = options.rate or (_RATE_FROM if start_from else 1.0)
    settings = RunSettings(
        options.minutes,
        BatchShape(options.chunks, options.tokens, slots, (16, 16, 32)),
        muon_lr=share * MUON_LR,
        adam_lr=share * ADAM_LR,
        seed=options.seed,
        compiled=placement.device.type != "cpu" or shutil.which("c++") is not None,
        mix=read_packed(options.out / "packed").mix or MIX,
    )
    run = Run(options.out, config, settings, placement, start_from, together)
    if not together.leads:
        run.train(lambda _: None)
        return
    if run.step:
        print(f"resumed at step {run.step}, {run.seconds / 60:.1f} of {options.minutes:g} minutes")
    run_with_progress(run)
    draw_curve(options.out)
    if start_from:
        _export_mean(run, start_from)
    print(f"{options.out / 'checkpoint'}: {run.step} steps, {run.tokens / 1e6:.2f}M tokens")


def _export_mean(run: Run, start: Denoiser) -> None:
    """Put the best mean with the model it began with in the place of the run's checkpoint."""
    mean = best_mean(start, run.model, run.validate)
    if mean.share < 1:
        run.export(run.folder / "checkpoint", mean.model)
        print(f"a mean, {mean.share:.0%} of it new and the rest as it began: loss {mean.loss:.3f}")


def _fresh_config(options: argparse.Namespace) -> DenoiserConfig:
    heads = max(1, options.width // 64)
    return DenoiserConfig(
        Tokenizer.load(options.out / "tokenizer.json").size,
        options.width,
        options.layers,
        heads,
        heads // 2 or 1,
        hidden=options.width * 11 // 4,
        pointer=True,
    )


def _prepare(options: argparse.Namespace) -> None:
    """Tokenizer and packed tokens of the run, where they are not there from before."""
    folder: Path = options.out
    if (folder / "packed" / "packed.json").exists():
        return
    if not options.sources:
        raise CorpusError(f"{folder} holds no packed tokens yet: name the folders to train on")
    packed = [source for source in options.sources if (source / "packed.json").exists()]
    if packed and len(options.sources) > 1:
        raise CorpusError(
            f"{packed[0]} is a packed corpus: train on it alone, or on folders of code"
        )
    folder.mkdir(parents=True, exist_ok=True)
    if options.start:
        checkpoint.load(options.start).tokenizer.save(folder / "tokenizer.json")
    if packed:
        _take_tokenizer(packed[0], folder)
        refer(packed[0], folder / "packed")
        return
    files = read_sources(options.sources)
    if not (folder / "tokenizer.json").exists():
        _learn_vocabulary(files, options.vocabulary, folder / "tokenizer.json")
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    pack(files, tokenizer, folder / "packed", held_out=0.005, seed=options.seed)


def _take_tokenizer(corpus: Path, folder: Path) -> None:
    """The corpus's, which has to be that of the model to start from, if there is one."""
    own, packed_with = folder / "tokenizer.json", corpus / "tokenizer.json"
    if own.exists() and own.read_bytes() != packed_with.read_bytes():
        raise CorpusError(
            f"{corpus} was packed with another tokenizer than that of the model to start from:"
            " build it with --tokenizer"
        )
    shutil.copyfile(packed_with, own)


def read_sources(sources: list[Path]) -> list[SourceFile]:
    """The usable files of all sources. Raises CorpusError where there is none."""
    files = list(source_files(sources))
    if not files:
        named = ", ".join(map(str, sources))
        raise CorpusError(f"no usable source file in {named}: see engine/train/corpus.py")
    size = sum(len(file.text) for file in files)
    print(f"{len(files)} files, {size / 1e6:.1f} MB of code", file=sys.stderr)
    return files


def _learn_vocabulary(files: list[SourceFile], size: int, path: Path) -> None:
    texts = (file.text for file in sample(files, MIX, SAMPLE_SIZE))
    Tokenizer.train(texts, size).save(path)


def run_with_progress(run: Run) -> None:
    """Train to the end of the budget, and show how it goes."""
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
                f"  {row.mfu:.0%} MFU"
                f"  {max(0.0, minutes - row.minutes):.1f} min left"
            )
            progress.update(task, completed=row.progress, facts=facts)
            if not progress.console.is_terminal:
                progress.console.print(f"step {row.step}  {facts}", highlight=False)

        run.train(show)
