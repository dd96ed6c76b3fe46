"""Several processes that train one model, as torchrun starts them.

Each draws the same whole batch, with the same noise, and learns from its share of the chunks. The
gradients are added up, so every process takes the step that one process with the whole batch would
take, to rounding. Nothing is sharded, as FSDP would: models of this size fit wherever they can be
trained, and Muon needs whole matrices. The sum is taken here and not by DistributedDataParallel,
which wraps the forward pass of one module, and averages: here the logits are taken apart from the
trunk, and a batch has one weight.
"""

import os
import signal
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

import torch
from torch import distributed as dist
from torch.nn import Parameter

from engine.errors import EngineError
from engine.threads import usable_cores
from engine.train.loss import Losses, Task

_ENDED = (
    "another process of this training has ended: what was saved last is whole,"
    " and the same command goes on from there"
)
_PATIENCE = timedelta(hours=2)
"""The others wait while the first prepares a corpus or measures."""


@dataclass(frozen=True, slots=True)
class Team:
    """The processes of a run.

    rank    of this one among them, from 0
    size    how many they are
    device  of what is sent around
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        """Is this the one that writes, and shows how it goes?"""
        return self.rank == 0

    def share(self, task: Task) -> Task:
        """The chunks that are this process's. Raises EngineError where they cannot be divided."""
        chunks = len(task.batch.tokens_BT)
        if chunks % self.size:
            raise EngineError(
                f"{chunks} chunks cannot be divided among {self.size} processes:"
                " choose a multiple with --chunks"
            )
        count = chunks // self.size
        return task.part(slice(self.rank * count, (self.rank + 1) * count))

    def add_up(self, losses: Losses, parameters: Iterable[Parameter]) -> Losses:
        """Make the gradients those of the whole batch, everywhere; returns its losses."""
        found = Losses(*(part.detach() for part in losses))
        if self.size == 1:
            return found
        parts = [*found, *(p.grad for p in parameters if p.grad is not None)]
        whole = torch.cat([part.flatten().float() for part in parts])
        with _as_one_sentence():
            dist.all_reduce(whole)
        for part, summed in zip(parts, whole.split([part.numel() for part in parts]), strict=True):
            part.copy_(summed.view_as(part))
        return found

    def agree(self, seconds: float) -> float:
        """The first process's clock: what depends on time has to be the same for all."""
        if self.size == 1:
            return seconds
        said = torch.tensor(seconds, dtype=torch.float64, device=self.device)
        with _as_one_sentence():
            dist.broadcast(said, 0)
        return said.item()

    def meet(self) -> None:
        """Wait until all are here."""
        if self.size > 1:
            with _as_one_sentence():
                dist.barrier()


ALONE = Team()


@contextmanager
def team(device: str) -> Generator[Team, None, None]:
    """The team that torchrun put this process in; `ALONE` where it was started by itself.

    device  as the user names it; of several GPUs each process gets one
    """
    if not in_a_team():
        yield ALONE
        return
    signal.signal(signal.SIGTERM, _end)  # which torchrun sends to those that are left
    own = own_device(device)
    if own != "cpu":
        torch.cuda.set_device(own)
    dist.init_process_group("gloo" if own == "cpu" else "nccl", timeout=_PATIENCE)
    try:
        yield Team(dist.get_rank(), dist.get_world_size(), own)
    finally:
        dist.destroy_process_group()


def in_a_team() -> bool:
    """Did torchrun start this process?"""
    return dist.is_torchelastic_launched()


def own_device(name: str) -> str:
    """The device of this process, by the name that all of them were given."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    local = os.environ.get("LOCAL_RANK")
    return f"cuda:{local}" if name == "cuda" and local else name


def own_threads(wanted: int | None) -> int:
    """Its share of the cores, unless the user wants otherwise."""
    return wanted or max(1, usable_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


@contextmanager
def _as_one_sentence() -> Generator[None, None, None]:
    """What gloo and NCCL raise where another process of the team is gone."""
    try:
        yield
    except RuntimeError as error:
        _end_with(error)


def _end_with(error: Exception | None) -> NoReturn:
    """Say it once: whoever hears of the end from its neighbour is then told by torchrun too."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise EngineError(_ENDED) from error


def _end(*_: object) -> NoReturn:
    _end_with(None)
