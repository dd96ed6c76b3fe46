"""How a run goes: losses and speed from one report to the next."""

from dataclasses import dataclass, field

import torch

from engine.tokenizer import LANGUAGES
from engine.train.loss import Losses


@dataclass(frozen=True, slots=True)
class Report:
    """One row of curve.jsonl. Losses in nats per token, `minutes` spent in this run altogether.

    mfu        model FLOPs utilisation: how much of the rate of one large matrix product the matrix
               products of the steps, forward and backward, come to
    languages  canvas loss by language, of those there were
    """

    step: int
    minutes: float
    progress: float
    tokens: int
    tokens_per_s: float
    mfu: float
    loss: float
    canvas: float
    prefix: float
    suffix: float
    languages: dict[str, float]
    valid_canvas: float | None


@dataclass(slots=True)
class Meter:
    """Gathers the losses of steps until they are read.

    flops_per_token  matrix products of a step, forward and backward, over the tokens of its text
    reachable_flops  FLOP/s of one large matrix product
    """

    flops_per_token: float
    reachable_flops: float
    _losses: list[Losses] = field(default_factory=list[Losses])
    _tokens: int = 0
    _seconds: float = 0.0

    def add(self, losses: Losses, tokens: int, seconds: float) -> None:
        """Count a step."""
        self._losses.append(losses)
        self._tokens += tokens
        self._seconds += seconds

    @property
    def seconds(self) -> float:
        """Spent in the steps since the last reading."""
        return self._seconds

    def read(self, step: int, minutes: float, progress: float, tokens: int) -> Report:
        """The means since the last reading, without a held-out loss; begins anew."""
        parts = [torch.stack(part) for part in zip(*self._losses, strict=True)]
        loss, canvas, prefix, suffix = (part.mean().item() for part in parts[:4])
        nats_L, weight_L = (part.sum(0).tolist() for part in parts[4:])
        languages = {
            name: nats / weight
            for name, nats, weight in zip(LANGUAGES, nats_L, weight_L, strict=True)
            if weight
        }
        pace = self._tokens / max(self._seconds, 1e-9)
        mfu = pace * self.flops_per_token / self.reachable_flops
        self._losses, self._tokens, self._seconds = [], 0, 0.0
        return Report(
            step=step,
            minutes=minutes,
            progress=progress,
            tokens=tokens,
            tokens_per_s=pace,
            mfu=mfu,
            loss=loss,
            canvas=canvas,
            prefix=prefix,
            suffix=suffix,
            languages=languages,
            valid_canvas=None,
        )
