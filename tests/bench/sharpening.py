"""A last round of training that makes a model bolder: does it cost fewer passes, and what else?

    .venv/bin/python -m tests.bench.sharpening CORPUS --holes FOLDER [--model DIR] [--steps 200]

Every way goes on from the same checkpoint over the same batches at a low rate that falls to zero,
and is then asked for rests of lines and whole lines, the length given, nothing looked up, in one
pass, in two, in four, and a token a pass. Prints exact match and tokens per pass for each.

    the recipe     what training does anyway, for comparison
    certain        besides, the entropy of the vocabulary where its best token is the right one
    own order      slots are hidden in the order in which the model itself would leave them for
                   later, not at random
    both

Sources: certainty-forcing, dParallel, arXiv:2509.26488; own unmasking order, the same.
"""

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from engine import checkpoint
from engine.checkpoint import Checkpoint
from engine.device import Placement, place
from engine.infill import Engine
from engine.model import Denoiser
from engine.rendezvous import DEFAULT_MODEL
from engine.tokenizer import MASK, Codec
from engine.train.cli_train import read_sources
from engine.train.corrupt import Noised
from engine.train.corrupt import _noise_times as times  # pyright: ignore[reportPrivateUsage]
from engine.train.data import Batch, Batches, BatchShape
from engine.train.evaluate import Score, paced
from engine.train.items import Item, draw_items
from engine.train.loop import EDIT_RATE
from engine.train.loss import Task, noised, task_losses, trunk
from engine.train.mix import MIX
from engine.train.optim import Optimizers
from engine.train.pack import Row, load_packed

_KINDS = ("rest-of-line", "whole-line")
_MUON_LR, _ADAM_LR = 0.001, 0.0006
_ENTROPY_WEIGHT = 0.5
_TRUNK = torch.compile(trunk, dynamic=False)


@dataclass(frozen=True)
class Way:
    """Which of the two changes it makes to the recipe."""

    certain: bool
    own_order: bool


WAYS = {
    "the recipe": Way(certain=False, own_order=False),
    "certain": Way(certain=True, own_order=False),
    "own order": Way(certain=False, own_order=True),
    "both": Way(certain=True, own_order=True),
}


def main() -> None:
    """Train each way, ask at each pace, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path, help="what sfumato corpus build made")
    parser.add_argument("--holes", nargs="+", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="where the models are left")
    options = parser.parse_args()
    placement, packed = place("cpu", options.threads), load_packed(options.corpus)["train"]
    drawn = draw_items(read_sources(options.holes), options.items, seed=0)
    items = [item for item in drawn if item.kind in _KINDS]
    keep = options.keep or Path(tempfile.mkdtemp())
    ways: dict[str, Way | None] = {"as it was": None, **WAYS}
    for name, way in ways.items():
        found, folder = checkpoint.load(options.model), keep / name.replace(" ", "-")
        if way:
            sharpen(found, way, packed, options.steps, placement)
        checkpoint.save(folder, found.name, found.model, found.tokenizer, found.context_tokens)
        show(name, scores(folder, found.tokenizer, items))


def sharpen(
    found: Checkpoint, way: Way, packed: Mapping[str, Row], steps: int, placement: Placement
) -> None:
    """Train on for so many steps."""
    tokens = found.context_tokens
    shape = BatchShape(4, tokens, tokens * 7 // 4 // 64 * 64, (16, 16, 32))
    source, noise = Batches(packed, MIX, shape, seed=5), torch.Generator().manual_seed(5)
    model = found.model.train()
    optimizers = Optimizers(model, _MUON_LR, _ADAM_LR)
    for step in range(steps):
        batch = source[step]
        task = in_own_order(model, batch, noise, placement) if way.own_order else None
        task = task or noised(batch, noise, model.config.vocabulary, EDIT_RATE)
        loss = task_losses(model, task, placement, step, _TRUNK).total
        if way.certain:
            loss = loss + _ENTROPY_WEIGHT * doubt(model, task, placement)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizers.step(1 - step / steps)
    model.eval()


def in_own_order(
    model: Denoiser, batch: Batch, noise: torch.Generator, placement: Placement
) -> Task:
    """The slots hidden of which the model, shown nothing of the canvas, is least sure."""
    blank_BNC = torch.full_like(batch.content_BNC, MASK)
    with torch.no_grad(), torch.autocast("cpu", placement.dtype):
        seen = _TRUNK(model, batch, blank_BNC)
        sure_BNC = torch.stack(
            [torch.softmax(model.logits(each).float(), -1).amax(-1) for each in seen.canvas_BNCD]
        )
    t_BN = times(batch.used_BN.shape, noise, sure_BNC.device)
    count_BN1 = (t_BN * sure_BNC.shape[-1]).ceil()[..., None]
    rank_BNC = sure_BNC.argsort(-1).argsort(-1)
    hidden_BNC = (rank_BNC < count_BN1) & batch.used_BN[..., None]
    weight_BNC = hidden_BNC * t_BN.reciprocal().clamp(max=3.0)[..., None]
    canvas_BNC = torch.where(hidden_BNC, MASK, batch.content_BNC)
    return Task(batch, Noised(canvas_BNC, weight_BNC), weight_BNC.sum(), 1.0)


def doubt(model: Denoiser, task: Task, placement: Placement) -> Tensor:
    """Mean entropy, nats, of the vocabulary at hidden slots where its best token is right."""
    hidden_BNC = task.noised.weight_BNC > 0
    with torch.autocast("cpu", placement.dtype):
        seen = _TRUNK(model, task.batch, task.noised.canvas_BNC)
        log_probs_PV = F.log_softmax(model.logits(seen.canvas_BNCD[hidden_BNC]).float(), -1)
    right_P = log_probs_PV.argmax(-1) == task.batch.content_BNC[hidden_BNC]
    entropy_P = -(log_probs_PV.exp() * log_probs_PV).sum(-1)
    return (entropy_P * right_P).sum() / right_P.sum().clamp(min=1)


def scores(folder: Path, tokenizer: Codec, items: list[Item]) -> list[Score]:
    """At every pace."""
    return paced(Engine.load(folder, "cpu", 1), tokenizer, items, lambda: None)


def show(name: str, found: list[Score]) -> None:
    """A line for each kind: exact % and tokens per pass of all paces."""
    for kind in _KINDS:
        at = (f"{100 * s.exact:5.1f} ({s.tokens_per_pass:.2f})" for s in found if s.kind == kind)
        print(f"{name:12} {kind:14} {'  '.join(at)}", flush=True)


if __name__ == "__main__":
    main()
