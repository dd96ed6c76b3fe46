"""The training run: steps until the time is up, saving its state so that a kill loses a minute.

A run is a folder:

    tokenizer.json  packed/      what `prepare` makes from sources
    state.pt                     model, optimisers, generators, time spent: everything to resume
    curve.jsonl  curve.png       one row per report
    checkpoint/                  the exported model, as `engine.checkpoint` reads it
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from engine import checkpoint
from engine.device import Placement, matmul_flops
from engine.errors import CheckpointError, EngineError
from engine.model import Denoiser, DenoiserConfig
from engine.tokenizer import Tokenizer
from engine.train.data import Batch, Batches, BatchShape
from engine.train.loss import Losses, Trunk, noised, task_losses, trunk
from engine.train.meter import Meter, Report
from engine.train.mix import MIX
from engine.train.optim import ADAM_LR, MUON_LR, Optimizers, rate
from engine.train.pack import Row, Split, Tokens, load_packed
from engine.train.team import ALONE, Team

EDIT_RATE = 0.15
"""Share of the visible canvas tokens that are made wrong."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What distinguishes one run from another. Times in minutes, rates as torch takes them.

    title  begins the checkpoint's name; the number of its weights ends it
    """

    minutes: float
    shape: BatchShape
    muon_lr: float = MUON_LR
    adam_lr: float = ADAM_LR
    seed: int = 0
    compiled: bool = True
    save_minutes: float = 1.0
    mix: dict[str, float] = field(default_factory=lambda: dict(MIX))
    title: str = "sfumato"


def validation_loss(
    model: Denoiser,
    packed: Mapping[str, Row],
    mix: dict[str, float],
    shape: BatchShape,
    placement: Placement,
    count: int = 16,
) -> float | None:
    """Canvas loss, nats per token, on `count` fixed batches; None where the text is too short."""
    if not any(len(row) > shape.tokens for row in packed.values()):
        return None
    noise = torch.Generator(placement.device).manual_seed(1)
    source = Batches(packed, mix, shape, seed=1)
    total = 0.0
    with torch.no_grad():
        for number in range(count):
            batch = source[number].to(placement.device)
            task = noised(batch, noise, model.config.vocabulary)
            total += task_losses(model, task, placement).canvas.item()
    return total / count


class Run:
    """A training run in a folder: made fresh, or taken up where its state file left it.

    A fresh one begins with random weights, or with those of the model `start_from`; weights that
    only the new model has stay random. Raises CheckpointError where the two do not fit. Of a team
    the first process alone writes; all of them read the folder.
    """

    def __init__(
        self,
        folder: Path,
        config: DenoiserConfig,
        settings: RunSettings,
        placement: Placement,
        start_from: Denoiser | None = None,
        team: Team = ALONE,
    ) -> None:
        self.folder, self.settings, self.placement = folder, settings, placement
        self.team = team
        self.tokenizer = Tokenizer.load(folder / "tokenizer.json")
        torch.manual_seed(settings.seed)
        self.model = Denoiser(config).to(placement.device)
        self.optimizers = Optimizers(self.model, settings.muon_lr, settings.adam_lr)
        self.noise = torch.Generator(placement.device).manual_seed(settings.seed)
        self.step, self.tokens, self.seconds = 0, 0, 0.0
        if (folder / "state.pt").exists():
            self._resume()
        elif start_from:
            self._take_weights(start_from)
        self.team.meet()
        if self.team.leads:
            self._trim_curve()
        fast = partial(trunk, fused=placement.device.type == "cuda")
        self._trunk = torch.compile(fast, dynamic=False) if settings.compiled else trunk

    def train(self, report: Callable[[Report], None], report_seconds: float = 10.0) -> None:
        """Step until the budget is spent, then export. Reports come every `report_seconds`."""
        packed = self._packed["train"]
        source = self._source(packed, self.settings.shape)
        self._compile(packed)
        meter = Meter(self._flops_per_token(source[0]), matmul_flops(self.placement))
        batches = source.after(self.step, self.placement.device)
        last_save = time.monotonic()
        while (progress := self._progress()) < 1:
            began, tokens = time.monotonic(), self.tokens
            losses = self._step(next(batches), progress)
            now = time.monotonic()
            self.seconds = self.team.agree(self.seconds + now - began)
            if not self.team.leads:
                continue
            meter.add(losses, self.tokens - tokens, now - began)
            if meter.seconds >= report_seconds and self._progress() < 1:
                self._report(self._read(meter, progress), report)
            if now - last_save >= 60 * self.settings.save_minutes:
                self.save()
                last_save = time.monotonic()
        if self.team.leads:
            self._finish(meter, report)
        self.team.meet()

    @cached_property
    def _packed(self) -> dict[Split, dict[str, Tokens]]:
        """Loaded once: every part is compared with its checksum."""
        return load_packed(self.folder / "packed")

    def validate(self, model: Denoiser) -> float | None:
        """Canvas loss of a model, nats per token, on the run's held-out files."""
        held_out, settings = self._packed["valid"], self.settings
        return validation_loss(model, held_out, settings.mix, settings.shape, self.placement)

    def _finish(self, meter: Meter, report: Callable[[Report], None]) -> None:
        if meter.seconds:
            row = replace(self._read(meter, 1.0), valid_canvas=self.validate(self.model))
            self._report(row, report)
        self.save()

    def _source(self, packed: Mapping[str, Row], shape: BatchShape) -> Batches:
        return Batches(packed, self.settings.mix, shape, self.settings.seed)

    def _progress(self) -> float:
        """Share of the budget that is spent."""
        return self.seconds / (60 * self.settings.minutes)

    def save(self) -> None:
        """Write state and checkpoint; a failure leaves the ones before it whole.

        Raises CheckpointError when the disk does not take them.
        """
        state = {
            "config": asdict(self.model.config),
            "model": self.model.state_dict(),
            "optimizers": self.optimizers.state_dict(),
            "noise": self.noise.get_state(),
            "progress": [self.step, self.tokens, self.seconds],
        }
        fresh = self.folder / "state.pt.new"
        try:
            buffer = BytesIO()  # torch's own writer does not say why the disk refuses
            torch.save(state, buffer)
            fresh.write_bytes(buffer.getbuffer())
            fresh.replace(self.folder / "state.pt")
            self.export(self.folder / "checkpoint")
        except (OSError, CheckpointError) as error:
            fresh.unlink(missing_ok=True)
            raise CheckpointError(
                f"the run's state could not be written to {self.folder} ({error}):"
                " the one saved before is intact; free some space and resume"
            ) from error

    def export(self, folder: Path, model: Denoiser | None = None) -> None:
        """Write the model, or another of its shape, as a checkpoint."""
        name = f"{self.settings.title}-{sum(p.numel() for p in self.model.parameters()) / 1e6:.1f}m"
        context = self.settings.shape.tokens
        checkpoint.save(folder, name, model or self.model, self.tokenizer, context)

    def _compile(self, packed: Mapping[str, Row]) -> None:
        """Compile for every canvas size before the clock starts; changes no state of the run."""
        for size in sorted(set(self.settings.shape.sizes)) if self.settings.compiled else ():
            shape = replace(self.settings.shape, sizes=(size,))
            self._rehearse(self._source(packed, shape)[0], self._trunk)

    def _flops_per_token(self, batch: Batch) -> float:
        """Of this process's matrix products of a step, both ways, per token of all its text."""
        with FlopCounterMode(display=False) as counter:
            self._rehearse(batch, trunk)
        return counter.get_total_flops() / batch.tokens_BT.numel()

    def _rehearse(self, batch: Batch, run_trunk: Trunk) -> None:
        """A step that leaves no trace."""
        noise = torch.Generator(self.placement.device).manual_seed(0)
        self._forward(batch, noise, run_trunk).total.backward()
        self.model.zero_grad(set_to_none=True)

    def _step(self, batch: Batch, progress: float) -> Losses:
        found = self._forward(batch, self.noise, self._trunk)
        found.total.backward()
        found = self.team.add_up(found, self.model.parameters())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizers.step(rate(progress))
        self.step += 1
        self.tokens += batch.tokens_BT.numel()
        return found

    def _forward(self, batch: Batch, noise: torch.Generator, run_trunk: Trunk) -> Losses:
        there, vocabulary = batch.to(self.placement.device), self.model.config.vocabulary
        whole = noised(there, noise, vocabulary, EDIT_RATE)
        mine = self.team.share(whole)
        return task_losses(self.model, mine, self.placement, self.step, run_trunk)

    def _read(self, meter: Meter, progress: float) -> Report:
        return meter.read(self.step, self.seconds / 60, progress, self.tokens)

    def _report(self, row: Report, report: Callable[[Report], None]) -> None:
        with (self.folder / "curve.jsonl").open("a") as curve:
            curve.write(json.dumps(asdict(row)) + "\n")
        report(row)

    def _trim_curve(self) -> None:
        """Drop the rows behind the saved state, which are run again, and a row that was cut."""
        curve = self.folder / "curve.jsonl"
        if not curve.exists():
            return
        kept: list[str] = []
        for line in curve.read_text().splitlines(keepends=True):
            if not line.endswith("\n") or json.loads(line)["step"] > self.step:
                break
            kept.append(line)
        curve.write_text("".join(kept))

    def _take_weights(self, other: Denoiser) -> None:
        try:
            found = self.model.load_state_dict(other.state_dict(), strict=False)
        except RuntimeError as error:  # the same name, another size
            raise CheckpointError(
                f"a model of another shape cannot be started from: {other.config} is not"
                f" {self.model.config}"
            ) from error
        if found.unexpected_keys:
            raise CheckpointError(
                f"the model to start from has weights that this one lacks: {found.unexpected_keys}"
            )

    def _refuse_other_shape(self, config: dict[str, object]) -> None:
        if config != asdict(self.model.config):
            raise EngineError(
                f"{self.folder} holds a run of another shape ({config}): resume it with the same"
                " options or choose another folder"
            )

    def _resume(self) -> None:
        try:
            state = torch.load(
                self.folder / "state.pt", map_location=self.placement.device, weights_only=True
            )
            self._refuse_other_shape(state["config"])
            self.model.load_state_dict(state["model"])
            self.optimizers.load_state_dict(state["optimizers"])
            self.noise.set_state(state["noise"].cpu())
            self.step, self.tokens, self.seconds = state["progress"]
        except EngineError:
            raise
        except Exception as error:  # what a file that is not ours raises has no end
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise CheckpointError(
                f"{self.folder / 'state.pt'} cannot be resumed ({reason}): remove it to start anew"
            ) from error
