"""A step of somebody else's model at its real size, beside the least that it could take.

Its weights are drawn, as what they are makes no difference to the time: so nothing has to be
downloaded to know how fast a machine would be with it.
"""

import json
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor, nn

from bench.machine import Machine, measure_machine
from bench.timing import Spread, side_by_side
from engine.device import Placement
from engine.families.exchange import exchange, kind_for
from engine.families.full import FullLook, Layout
from engine.families.transformer import Shape, Transformer
from engine.matrix import LaidLinear
from engine.tokenizer import MASK

DREAM_7B = Shape(
    vocabulary=152_064,
    width=3584,
    layers=28,
    heads=28,
    kv_heads=4,
    head_size=128,
    hidden=18_944,
    rope_base=1e6,
    epsilon=1e-6,
    qkv_bias=True,
)
"""Dream 7B and Dream-Coder 7B: Qwen2.5's (arXiv:2508.15487)."""
SHAPES = {"dream-7b": DREAM_7B}

_PREFIX_TOKENS, _SUFFIX_TOKENS, _SLOTS = 288, 96, 32
_READ_BYTES = 2**30
"""More than any cache holds, as a step of such a model reads."""
_LAYOUT = Layout(mask=5, end=6, opening=(), closing=(), shifted=True, context_tokens=2048)


@dataclass(frozen=True, slots=True)
class Large:
    """What a step over one canvas of 32 slots takes.

    machine     what it can do at best
    parameters  how many weights the model has
    gigabytes   of weights and keys that a step has to read
    floor_ms    the time to read them, or to compute the matrix products, whichever is longer
    step_ms     a step with the context's keys at hand
    refresh_ms  one in which they are computed anew
    """

    machine: Machine
    parameters: int
    gigabytes: float
    floor_ms: float
    step_ms: Spread
    refresh_ms: Spread

    @property
    def steps_per_s(self) -> float:
        """At the median, between two refreshes."""
        return 1000 / self.step_ms.median

    @property
    def of_floor(self) -> float:
        """Steps a second as a share of what the floor would allow."""
        return self.floor_ms / self.step_ms.median

    def to_json(self) -> str:
        """All of it on one line."""
        shares = {"steps_per_s": self.steps_per_s, "of_floor": self.of_floor}
        return json.dumps(asdict(self) | shares)


@torch.inference_mode()
def measure_large(shape: Shape, placement: Placement, rounds: int) -> Large:
    """Both kinds of steps, in turn, on a device, with weights in its precision or in 8 bits."""
    machine = measure_machine(placement, _READ_BYTES)
    stack = drawn(shape, placement)
    always, never = (_look(stack, every) for every in (1, 2**30))
    tokens_NC = torch.full((1, _SLOTS), MASK, device=placement.device)
    wanted_NC = tokens_NC == MASK

    def step(look: FullLook) -> None:
        look(tokens_NC, wanted_NC)[0, 0].item()  # waits for an accelerator

    variants = {"step": partial(step, never), "refresh": partial(step, always)}
    taken_ms = side_by_side(variants, rounds)
    read_bytes = _weight_bytes(stack) + _key_bytes(shape, placement)
    return Large(
        machine=machine,
        parameters=sum(weight.numel() for weight in stack.parameters()),
        gigabytes=read_bytes / 1e9,
        floor_ms=machine.floor_ms(variants["step"], read_bytes),
        step_ms=taken_ms["step"],
        refresh_ms=taken_ms["refresh"],
    )


def drawn(shape: Shape, placement: Placement) -> Transformer:
    """A stack on a device, layer by layer given random weights."""
    with torch.device("meta"):
        stack = Transformer(shape)
    stack = stack.to(placement.dtype).requires_grad_(requires_grad=False).eval()
    kind = kind_for(placement)
    some = torch.randn(2**20, device=placement.device, dtype=placement.dtype)
    for layer in stack.layers:
        _draw(layer, some)
        if kind:
            exchange(layer, kind)
    for outer in (stack.norm, stack.lm_head, stack.embed_tokens):
        _draw(outer, some)
    if kind is LaidLinear:
        exchange(stack, kind)
    return stack


def _draw(part: nn.Module, some: Tensor) -> None:
    """Give the parameters of a module on the meta device these numbers, over and over."""
    part.to_empty(device=some.device)
    for weight in part.parameters():
        repeats = -(-weight.numel() // len(some))
        weight.copy_(some.repeat(repeats)[: weight.numel()].view(weight.shape))
        weight.mul_(weight.shape[-1] ** -0.5)


def _look(stack: Transformer, refresh_every: int) -> FullLook:
    prefix = [20 + index * 7 % 400 for index in range(_PREFIX_TOKENS)]
    suffix = [20 + index * 5 % 400 for index in range(_SUFFIX_TOKENS)]
    return FullLook(stack, _LAYOUT, prefix, suffix, refresh_every)


def _weight_bytes(stack: nn.Module) -> int:
    """All but the embedding, of which a step reads a few rows."""
    named = {**dict(stack.named_parameters()), **dict(stack.named_buffers())}
    return sum(
        weight.numel() * weight.element_size()
        for name, weight in named.items()
        if name != "embed_tokens.weight"
    )


def _key_bytes(shape: Shape, placement: Placement) -> int:
    """Keys and values of the context."""
    tokens = _PREFIX_TOKENS + _SUFFIX_TOKENS
    return 2 * shape.layers * shape.kv_heads * shape.head_size * tokens * placement.dtype.itemsize
