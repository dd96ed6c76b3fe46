"""Products with weights that never change, which are laid out for it once.

For each product of a few rows with weights as a checkpoint has them, oneDNN lays the weights out
anew first. Sixteen rows take twice the time for it where the weights come from beyond the nearest
caches, as they do in a pass; in bfloat16 the result is the same to the last bit
(`tests/bench/LOG.md`).
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Product = Callable[[Tensor], Tensor]
"""From [X, I] to [X, O]: y = x W^T, in the precision of both."""

_ROWS = 16
"""What the layout is chosen for. It serves one row, or hundreds, hardly less."""


def flop_formulas() -> dict[Any, Callable[..., int]]:
    """What torch's flop counter does not know: products with weights laid out, or in 8 bits."""

    def flops(x_shape: Sequence[int], weight_shape: Sequence[int], *_: object, **__: object) -> int:
        return 2 * math.prod(x_shape) * weight_shape[0]

    kernels: Any = torch.ops
    formulas = {kernels.aten._weight_int8pack_mm: flops}  # noqa: SLF001
    if torch.backends.mkldnn.is_available():
        formulas[kernels.mkldnn._linear_pointwise] = flops  # noqa: SLF001
    return formulas


def can_lay_out(device: torch.device) -> bool:
    """Is there a layout for weights on this device?"""
    return device.type == "cpu" and torch.backends.mkldnn.is_available()


def product_with(weight_OI: Tensor) -> Product:
    """The fastest there is on the device of the weights, which must not change."""
    if not can_lay_out(weight_OI.device):
        return partial(F.linear, weight=weight_OI)
    packed, multiply = _laid_out(weight_OI), _multiply()
    return lambda x_XI: multiply(x_XI, packed, None, "none", [], "")


class LaidLinear(nn.Module):
    """A linear layer whose matrix is laid out; see `can_lay_out`."""

    bias: Tensor | None

    def __init__(self, weight_OI: Tensor, bias_O: Tensor | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(_laid_out(weight_OI.detach()), requires_grad=False)
        self.register_buffer("bias", bias_O)

    def forward(self, x_XI: Tensor) -> Tensor:
        return _multiply()(x_XI, self.weight, self.bias, "none", [], "")


def _laid_out(weight_OI: Tensor) -> Tensor:
    kernels: Any = torch.ops.mkldnn  # for compiled models, but there is no other way to it
    return kernels._reorder_linear_weight(weight_OI.contiguous(), _ROWS)  # noqa: SLF001


def _multiply() -> Callable[..., Tensor]:
    kernels: Any = torch.ops.mkldnn
    return kernels._linear_pointwise.default  # noqa: SLF001
