"""`sfumato corpus`: build a corpus from a manifest, and say what one is made of."""

import argparse
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from engine.errors import CorpusError
from engine.train.corpus.build import STAGES, Recipe, build
from engine.train.corpus.report import Report, read_report


def run_build(options: argparse.Namespace) -> None:
    """Build the corpus, or finish it, and print what it is made of."""
    recipe = Recipe(
        options.manifest,
        options.out,
        options.mirror,
        tuple(options.benchmarks),
        _excluded(options.exclude),
        options.mix,
        options.tests,
        options.tokenizer,
        options.vocabulary,
        options.jobs,
        options.seed,
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {name: bars.add_task(name, total=None) for name in STAGES}

        def show(name: str, done: int, total: int) -> None:
            bars.update(tasks[name], completed=done, total=total)

        report = build(recipe, show)
    _print(report)
    print(f"{options.out}: {options.out / 'report.json'} has the whole report")


def run_report(options: argparse.Namespace) -> None:
    """Print what a corpus that was built is made of."""
    _print(read_report(options.out))


def _excluded(path: Path) -> frozenset[str]:
    """The repositories that a file names, one on each line that is no comment."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}") from error
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _print(report: Report) -> None:
    console = Console(width=max(100, Console().width), highlight=False)
    console.print(_languages(report))
    if report.dropped:
        console.print(_dropped(report))
    for repo, why in report.refused.items():
        console.print(f"left out: {repo}, {why}")
    for repo, path, identifiers in report.problems:
        console.print(f"left out: {repo} {path}, which holds {', '.join(identifiers)}")


def _languages(report: Report) -> Table:
    kept = [one for one in report.repositories if one.files]
    table = Table(title=f"{len(kept)} repositories")
    for name in ("language", "files", "MB", "tests %", "tokens to train on", "held out"):
        table.add_column(name, justify="left" if name == "language" else "right")
    for language, share in report.languages.items():
        table.add_row(
            language,
            f"{share.files:,}",
            f"{share.size_bytes / 1e6:.1f}",
            f"{100 * share.tests:.0f}",
            f"{share.train_tokens:,}",
            f"{share.valid_tokens:,}",
        )
    return table


def _dropped(report: Report) -> Table:
    total: Counter[str] = Counter()
    for reasons in report.dropped.values():
        total.update(reasons)
    table = Table(title="files left out, and why")
    table.add_column("why")
    for language in report.dropped:
        table.add_column(language, justify="right")
    for reason, _ in total.most_common():
        counts = (reasons.get(reason, 0) for reasons in report.dropped.values())
        table.add_row(reason, *(f"{count:,}" if count else "" for count in counts))
    return table
