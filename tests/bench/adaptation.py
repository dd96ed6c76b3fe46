"""A model adapted to one project: all of its weights, or a low-rank addition to its matrices?

    .venv/bin/python -m tests.bench.adaptation PROJECT... [--model DIR] [--steps 120]

Each way learns the same batches of a project's files, with the recipe of `sfumato train --on`, and
is measured on the files held out from it: canvas loss in nats per token, and what is exactly right
of holes that the model fills alone, without looking anything up. Prints a row as soon as it is
known.

Source: LoRA, arXiv:2106.09685.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from engine import checkpoint
from engine.checkpoint import Checkpoint
from engine.device import Placement, place
from engine.infill import Engine
from engine.model import Denoiser
from engine.rendezvous import DEFAULT_MODEL
from engine.train.adapt import divide, draw_holes
from engine.train.cli_adapt import ADAM_LR, MUON_LR
from engine.train.cli_train import read_sources
from engine.train.data import Batches, BatchShape
from engine.train.evaluate import as_used
from engine.train.items import Item
from engine.train.loop import EDIT_RATE, validation_loss
from engine.train.loss import noised, task_losses
from engine.train.mix import MIX
from engine.train.optim import Optimizers, rate
from engine.train.pack import Row
from tests.bench.ablations import rows

_HOLES = 60


class LowRank(nn.Module):
    """A weight and the product of two thin matrices, the second of them 0 at first."""

    def __init__(self, weight_OI: Tensor, rank: int) -> None:
        super().__init__()
        outputs, inputs = weight_OI.shape
        self.inner_RI = nn.Parameter(torch.randn(rank, inputs) * inputs**-0.5)
        self.outer_OR = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, weight_OI: Tensor) -> Tensor:
        """The sum."""
        return weight_OI + self.outer_OR @ self.inner_RI


Update = Callable[[float], None]
"""An optimiser's step at so much of its rate."""


def all_weights(model: Denoiser) -> Update:
    """As `sfumato train --on` does it."""
    return Optimizers(model, MUON_LR, ADAM_LR).step


@dataclass(frozen=True)
class Additions:
    """Learn a low-rank addition to each matrix of the blocks, and nothing else."""

    rank: int
    lr: float

    def __call__(self, model: Denoiser) -> Update:
        """Put the additions in; the step that learns them."""
        model.requires_grad_(requires_grad=False)
        matrices = [part for part in model.blocks.modules() if isinstance(part, nn.Linear)]
        for linear in matrices:
            addition = LowRank(linear.weight, self.rank)
            parametrize.register_parametrization(linear, "weight", addition)
        learned = [weight for weight in model.parameters() if weight.requires_grad]
        adam = torch.optim.AdamW(learned, lr=self.lr, betas=(0.9, 0.95), weight_decay=0.0)

        def step(scale: float) -> None:
            for group in adam.param_groups:
                group["lr"] = self.lr * scale
            adam.step()
            adam.zero_grad(set_to_none=True)

        return step


WAYS: dict[str, Callable[[Denoiser], Update]] = {
    "all weights": all_weights,
    "rank 8": Additions(8, 0.004),
    "rank 32": Additions(32, 0.002),
    "rank 32, twice the rate": Additions(32, 0.004),
}


def main() -> None:
    """Adapt in every way to every project, and print what it brought."""
    parser = argparse.ArgumentParser()
    parser.add_argument("projects", nargs="+", type=Path)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    placement = place("cpu", options.threads)
    print(f"{'project':16} {'way':24} nats/token  exact %  seconds", flush=True)
    for folder in options.projects:
        project, found = divide(read_sources([folder])), checkpoint.load(options.model)
        items = draw_holes(project.held_out, _HOLES)
        shape = BatchShape(4, found.context_tokens, found.context_tokens * 7 // 4, (16, 16, 32))
        learned, held_out = (
            rows(files, found.tokenizer, None) for files in (project.learned, project.held_out)
        )
        for name, way in {"as it was": None, **WAYS}.items():
            found, began = checkpoint.load(options.model), time.process_time()
            if way:
                adapt(found.model, way(found.model), learned, shape, options.steps, placement)
            seconds = time.process_time() - began
            nats = validation_loss(found.model, held_out, MIX, shape, placement)
            exact = exactly_right(found, items)
            print(
                f"{folder.name:16} {name:24} {nats:10.3f} {exact:8.1f} {seconds:8.0f}", flush=True
            )


def adapt(
    model: Denoiser,
    update: Update,
    packed: Mapping[str, Row],
    shape: BatchShape,
    steps: int,
    placement: Placement,
) -> None:
    """Learn so many batches; the additions are then part of the weights."""
    torch.manual_seed(0)
    noise, source = torch.Generator().manual_seed(0), Batches(packed, MIX, shape, seed=0)
    model.train()
    for step in range(steps):
        task = noised(source[step], noise, model.config.vocabulary, EDIT_RATE)
        task_losses(model, task, placement, step).total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        update(rate(step / steps))
    for part in model.blocks.modules():
        if parametrize.is_parametrized(part):
            parametrize.remove_parametrizations(part, "weight")
    model.eval()


def exactly_right(found: Checkpoint, items: list[Item]) -> float:
    """Percent of the holes, filled by the model alone."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "adapted"
        checkpoint.save(saved, found.name, found.model, found.tokenizer, found.context_tokens)
        engine = Engine.load(saved, "cpu", 1)
    engine.rule = replace(engine.rule, guesses=0)
    scores = as_used(engine, items, lambda: None)
    return 100 * mean(score.exact for score in scores)


if __name__ == "__main__":
    main()
