"""`sfumato eval`: a model against code it has not seen."""

import argparse
import json
import random
from dataclasses import asdict

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from engine.checkpoint import load
from engine.device import place
from engine.infill import Engine
from engine.threads import SERVING_THREADS
from engine.tokenizer import Tokenizer
from engine.train.cli_train import read_sources
from engine.train.corpus import SourceFile
from engine.train.curve import draw_pace
from engine.train.data import BatchShape
from engine.train.evaluate import PACES, Score, evaluate, paced
from engine.train.items import KINDS, draw_items
from engine.train.loop import validation_loss
from engine.train.mix import MIX
from engine.train.pack import pack_files


def run(options: argparse.Namespace) -> None:
    """Score the model on holes cut from the sources, and print the table."""
    engine = Engine.load(options.model, options.device, SERVING_THREADS)
    tokenizer = Tokenizer.load(options.model / "tokenizer.json")
    files = read_sources(options.sources)
    items = draw_items(files, options.items, options.seed)
    loss = _held_out_loss(options, files)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("evaluating", total=3 * len(KINDS))
        scores = evaluate(engine, tokenizer, items, lambda: progress.advance(task))
        if options.pace:
            task = progress.add_task("at six paces", total=len(PACES) * len(KINDS))
            at_paces = paced(engine, tokenizer, items, lambda: progress.advance(task))
            draw_pace(at_paces, options.pace)
            scores += at_paces
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
