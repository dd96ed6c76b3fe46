"""Each choice of the training recipe, undone one at a time, at small scale and equal steps.

    .venv/bin/python -m tests.bench.ablations SOURCES --held-out FOLDER [--steps 400] [--only NAMES]

Every variant is the same small model (width 128, three layers, 256 tokens of context) trained for
the same number of steps on the same draw of the same files, with one thing changed. All are scored
alike, whatever their own noise or weights were: the canvas loss with the recipe's noise on held-out
files, in nats per token, and per byte where the vocabulary differs. The recipe is run with two
seeds; their difference is what chance alone does. Prints a row as soon as it is known.
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.device import Placement, place
from engine.model import Context, Denoiser, DenoiserConfig, Scene, Turn
from engine.tokenizer import LANGUAGES, Tokenizer
from engine.train import corrupt, data, loss, tiles
from engine.train.cli_train import read_sources
from engine.train.corpus import SourceFile
from engine.train.data import Batch, Batches, BatchShape
from engine.train.loop import EDIT_RATE
from engine.train.loss import Trunk, noised, task_losses, trunk
from engine.train.mix import MIX, sample
from engine.train.optim import Optimizers, rate
from engine.train.pack import pack_files

_SHAPE = BatchShape(chunks=4, tokens=256, slots=448, sizes=(16, 16, 32))
_CONFIG = DenoiserConfig(8192, 128, 3, 2, 1, 352, pointer=True)
_MUON_LR, _ADAM_LR = 0.01, 0.006
_TRAIN_CHARACTERS, _HELD_OUT_CHARACTERS = 12_000_000, 1_500_000
_SCORED_BATCHES = 48
_TRUNK: Trunk = torch.compile(trunk, dynamic=False)


class Forwards(Denoiser):
    """Reads the suffix left to right, away from the hole; wants batches of `natural`."""

    def _scene(self, slots: int, context: Context) -> Scene:
        scene = super()._scene(slots, context)
        near, far = (stream[0].keys_BKTE.shape[2] for stream in (context.prefix, context.suffix))
        first_BN1 = far + 1 - context.sight.suffix_BN[..., None]
        far_T = torch.arange(far, device=first_BN1.device)
        hidden = scene.hidden.clone()
        hidden[:, 0, :, 0, near : near + far] = far_T < first_BN1
        edge: Turn = self._turn(first_BN1[..., None] - 1)
        return scene._replace(edge=edge, hidden=hidden)


def natural(batch: Batch) -> Batch:
    """The suffix as `Forwards` wants it: what the objective reverses, reversed."""
    return replace(batch, behind_BT=batch.behind_BT.flip(1))


def uniform_times(shape: torch.Size, generator: torch.Generator, device: torch.device) -> Tensor:
    """Noise times [B, N] in [0.02, 1], uniform, antithetic along N, none of them held at 1."""
    half = torch.rand(shape[0], (shape[1] + 1) // 2, generator=generator, device=device)
    return torch.cat([half, 1 - half], 1)[:, : shape[1]].clamp(min=0.02)


class AdamWAlone(Optimizers):
    """Every weight by AdamW."""

    def __init__(self, model: torch.nn.Module, muon_lr: float, adam_lr: float) -> None:
        super().__init__(model, muon_lr, adam_lr)
        betas = (0.9, 0.95)
        self._adam = torch.optim.AdamW(model.parameters(), lr=adam_lr, betas=betas)

    def step(self, scale: float) -> None:
        """As in Optimizers, with one optimiser."""
        for group in self._adam.param_groups:
            group["lr"] = self._base["adam"] * scale
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)


@dataclass(frozen=True)
class Variant:
    """What differs from the recipe, and why one might want it."""

    name: str
    seed: int = 0
    config: DenoiserConfig = _CONFIG
    model: Callable[[DenoiserConfig], Denoiser] = Denoiser
    optimizers: Callable[[torch.nn.Module, float, float], Optimizers] = Optimizers
    prepare: Callable[[Batch], Batch] = field(default=lambda batch: batch)
    patches: Callable[[], AbstractContextManager[object]] = nullcontext
    adam_lr: float = _ADAM_LR
    edits_from: float = 0.0
    kinds: tuple[int, ...] | None = None
    vocabulary: int = 8192
    characters: int = _TRAIN_CHARACTERS


VARIANTS = (
    Variant("the recipe"),
    Variant("the recipe, another seed", seed=1),
    Variant("no next-token loss", patches=lambda: patch.object(loss, "_STREAM_WEIGHT", 0.0)),
    Variant(
        "next-token loss at full weight", patches=lambda: patch.object(loss, "_STREAM_WEIGHT", 1.0)
    ),
    Variant("suffix read forwards", model=Forwards, prepare=natural),
    Variant(
        "uniform noise times", patches=lambda: patch.object(corrupt, "_noise_times", uniform_times)
    ),
    Variant(
        "no canvas held at full noise", patches=lambda: patch.object(corrupt, "_ALL_MASKED", 0.0)
    ),
    Variant(
        "half the canvases at full noise", patches=lambda: patch.object(corrupt, "_ALL_MASKED", 0.5)
    ),
    Variant("no weight by noise time", patches=lambda: patch.object(corrupt, "_CLIP", 1.0)),
    Variant(
        "suffix text not shifted", patches=lambda: patch.object(data, "_draw_shift", return_value=0)
    ),
    Variant("no wrong tokens", edits_from=1.0),
    Variant("wrong tokens in the last fifth", edits_from=0.8),
    Variant("AdamW alone", optimizers=AdamWAlone),
    Variant("AdamW alone, half the rate", optimizers=AdamWAlone, adam_lr=_ADAM_LR / 2),
    Variant("six layers of width 96", config=replace(_CONFIG, width=96, layers=6, hidden=264)),
    Variant(
        "two layers of width 160", config=replace(_CONFIG, width=160, layers=2, hidden=440, heads=2)
    ),
    Variant("no pointer", config=replace(_CONFIG, pointer=False)),
    Variant("tiles of lines only", kinds=(0, 40, 60, 0, 0, 0)),
    Variant("tiles of any characters only", kinds=(0, 0, 0, 0, 0, 1)),
    Variant("4,096 tokens of vocabulary", vocabulary=4096),
    Variant("16,384 tokens of vocabulary", vocabulary=16_384),
    Variant("a fifth of the text, five times", characters=_TRAIN_CHARACTERS // 40),
)


@dataclass(frozen=True)
class Corpus:
    """Texts to learn from and to score on, and where tokenizers of other sizes are kept."""

    train: list[SourceFile]
    held_out: list[SourceFile]
    folder: Path

    def tokenizer(self, size: int) -> Tokenizer:
        """The vocabulary of `size` tokens, learned from the training text once."""
        path = self.folder / f"tokenizer-{size}.json"
        if not path.exists():
            Tokenizer.train((file.text for file in self.train), size).save(path)
        return Tokenizer.load(path)


def main() -> None:
    """Train and score the variants that were asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--only", help="names of variants, separated by semicolons")
    parser.add_argument("--keep", type=Path, default=Path("ablations"), help="for the tokenizers")
    options = parser.parse_args()
    chosen = options.only.split(";") if options.only else [one.name for one in VARIANTS]
    options.keep.mkdir(exist_ok=True)
    corpus = Corpus(
        sample(read_sources(options.sources), MIX, _TRAIN_CHARACTERS),
        sample(read_sources([options.held_out]), MIX, _HELD_OUT_CHARACTERS),
        options.keep,
    )
    placement = place("cpu", 1)
    print(f"{'variant':34} nats/token  nats/byte  weights  seconds", flush=True)
    for variant in (one for one in VARIANTS if one.name in chosen):
        began = time.process_time()
        per_token, per_byte, weights = measure(variant, corpus, options.steps, placement)
        spent = time.process_time() - began
        print(
            f"{variant.name:34} {per_token:10.3f} {per_byte:10.3f}"
            f" {weights / 1e6:7.2f}M {spent:8.0f}",
            flush=True,
        )


def measure(
    variant: Variant, corpus: Corpus, steps: int, placement: Placement
) -> tuple[float, float, int]:
    """Nats per token and per byte on the held-out text after `steps` steps, and the weights."""
    tokenizer = corpus.tokenizer(variant.vocabulary)
    texts = sample(corpus.train, MIX, variant.characters)
    model = trained(variant, rows(texts, tokenizer, variant.kinds), steps, placement)
    held_out = rows(corpus.held_out, tokenizer, None)
    nats = scored(model, held_out, variant.prepare, placement)
    size = sum(len(file.text.encode()) for file in corpus.held_out)
    tokens = sum(len(row) for row in held_out.values())
    return nats, nats * tokens / size, sum(p.numel() for p in model.parameters())


def rows(
    files: Sequence[SourceFile], tokenizer: Tokenizer, kinds: tuple[int, ...] | None
) -> dict[str, NDArray[np.uint16]]:
    """Packed tokens by language, tiled as the recipe does or in the proportions `kinds`."""
    with patch.object(tiles, "_WEIGHTS", kinds) if kinds else nullcontext():
        return {
            language: pack_files(own, tokenizer, random.Random(0))
            for language in LANGUAGES
            if (own := [file for file in files if file.language == language])
        }


def trained(
    variant: Variant, packed: dict[str, NDArray[np.uint16]], steps: int, placement: Placement
) -> Denoiser:
    """A model of the variant after `steps` steps; the rate is held, then falls to zero."""
    torch.manual_seed(variant.seed)
    noise = torch.Generator().manual_seed(variant.seed)
    model = variant.model(replace(variant.config, vocabulary=variant.vocabulary))
    optimizers = variant.optimizers(model, _MUON_LR, variant.adam_lr)
    with variant.patches():
        source = Batches(packed, MIX, _SHAPE, variant.seed)
        for step in range(steps):
            progress = step / steps
            edits = EDIT_RATE if progress >= variant.edits_from else 0.0
            batch = variant.prepare(source[step])
            task = noised(batch, noise, variant.vocabulary, edits)
            task_losses(model, task, placement, step, _TRUNK).total.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizers.step(rate(progress))
    return model.eval()


def scored(
    model: Denoiser,
    packed: dict[str, NDArray[np.uint16]],
    prepare: Callable[[Batch], Batch],
    placement: Placement,
) -> float:
    """Canvas loss in nats per token with the recipe's noise, on the same batches for all."""
    noise = torch.Generator().manual_seed(7)
    source = Batches(packed, MIX, _SHAPE, seed=7)
    with torch.no_grad():
        nats = [
            task_losses(
                model, noised(prepare(source[n]), noise, model.config.vocabulary), placement
            ).canvas.item()
            for n in range(_SCORED_BATCHES)
        ]
    return sum(nats) / len(nats)


if __name__ == "__main__":
    main()
