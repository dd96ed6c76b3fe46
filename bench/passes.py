"""The time of one denoising step, as a multiple of the least it could take, and of reading on."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch

from bench.machine import Machine
from bench.timing import Spread, side_by_side
from engine.canvas import Canvas
from engine.device import Placement
from engine.inference import Inference
from engine.kv_cache import PREFIX, SUFFIX, ContextCache
from engine.look import BoundLook
from engine.model import Denoiser
from engine.sampler import Limits, denoise
from engine.schedule import Rule

SLOTS, ROWS = (16, 32, 64), (1, 3)
_PREFIX_TOKENS, _SUFFIX_TOKENS, _CAPACITY = 288, 96, 512
_NEW_TOKENS = (1, 16, 128)
_FIRST_TOKEN = 20
"""Special tokens come before it."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One step over so many rows of so many slots, all masked: look, choose, unmask.

    floor_ms  the weights and cached keys read, or the matrix products, whichever takes longer
    """

    rows: int
    slots: int
    taken_ms: Spread
    floor_ms: float

    @property
    def over_floor(self) -> float:
        return self.taken_ms.median / self.floor_ms


@torch.inference_mode()
def measure_passes(
    model: Denoiser, machine: Machine, placement: Placement, rounds: int
) -> list[Pass]:
    """Every bucket of slots and rows, in turn."""
    inference = Inference(model)
    cache = ContextCache(inference, _CAPACITY)
    prefix, suffix = _tokens(_PREFIX_TOKENS), _tokens(_SUFFIX_TOKENS)
    streams = cache.read(prefix, PREFIX), cache.read(suffix, SUFFIX)
    look = BoundLook(inference, inference.bind(*streams, before=prefix[-1]))
    forbidden_V = torch.arange(model.config.vocabulary, device=placement.device) < _FIRST_TOKEN
    rule = Rule(confident=1.1)

    def step(rows: int, slots: int) -> Callable[[], object]:
        def once() -> object:
            canvas = Canvas.blank([slots] * rows, slots, placement.device)
            noise = torch.Generator(placement.device)
            return next(denoise(look, canvas, rule, Limits(forbidden_V), noise))

        return once

    sizes = [(rows, slots) for rows in ROWS for slots in SLOTS]
    steps = {f"{rows} x {slots}": step(rows, slots) for rows, slots in sizes}
    taken_ms = side_by_side(steps, rounds)
    read_bytes = _weight_bytes(model) + _key_bytes(model)
    return [
        Pass(rows, slots, taken_ms[name], machine.floor_ms(steps[name], read_bytes))
        for name, (rows, slots) in zip(steps, sizes, strict=True)
    ]


@torch.inference_mode()
def measure_prefill(model: Denoiser, rounds: int) -> dict[int, Spread]:
    """Milliseconds of reading so many new tokens behind a cached prefix, others each time."""
    cache = ContextCache(Inference(model), _CAPACITY)
    base, draws = _tokens(_PREFIX_TOKENS), itertools.count()

    def read(count: int) -> Callable[[], object]:
        def once() -> object:
            return cache.read(base + _tokens(count, next(draws)), PREFIX)

        return once

    taken_ms = side_by_side({str(count): read(count) for count in _NEW_TOKENS}, rounds)
    return {count: taken_ms[str(count)] for count in _NEW_TOKENS}


def _weight_bytes(model: Denoiser) -> int:
    return sum(weight.numel() * weight.element_size() for weight in model.parameters())


def _key_bytes(model: Denoiser) -> int:
    """Keys and values of the context."""
    config, tokens = model.config, _PREFIX_TOKENS + _SUFFIX_TOKENS
    values = 2 * config.layers * config.kv_heads * (config.width // config.heads) * tokens
    return values * model.embedding.weight.element_size()


def _tokens(count: int, draw: int = 0) -> list[int]:
    return [_FIRST_TOKEN + (draw + index * 7) % 400 for index in range(count)]
