"""Matrices in 8 bits: half the memory of bfloat16, for models that would not fit otherwise.

Each row has a scale of its own, such that its largest weight is 127; what is multiplied with it
stays as precise as it was. With Gaussian weights a product is off by 0.8 % (root mean square, 2048
inputs, `tests/unit/test_int8.py`). On a CPU it takes 1.3 to 2.2 times as long as native bfloat16
and 2.3 to 3.5 times as long as float32, both laid out (`tests/bench/LOG.md`); elsewhere the whole
matrix is unpacked for every product.

torchao was tried: it takes seconds to import, and its eager product unpacks the matrix likewise.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LARGEST = 127
_FEW, _PART = 40, 2048
"""Up to so many tokens torch's packed product is faster; above, so many rows unpacked at a time."""


class Int8Linear(nn.Module):
    """A linear layer with its weight in 8 bits."""

    scale_O: Tensor
    bias: Tensor | None

    @torch.no_grad()  # else the scale would keep the matrix
    def __init__(self, weight_OI: Tensor, bias_O: Tensor | None = None) -> None:
        super().__init__()
        scale_O = weight_OI.abs().amax(1).float().clamp(min=1e-12) / _LARGEST
        whole_OI = (weight_OI / scale_O[:, None]).round().to(torch.int8)
        self.weight = nn.Parameter(whole_OI, requires_grad=False)
        self.register_buffer("scale_O", scale_O.to(weight_OI.dtype))
        self.register_buffer("bias", bias_O)

    def forward(self, x_XI: Tensor) -> Tensor:
        y_XO = self._product(x_XI)
        return y_XO if self.bias is None else y_XO + self.bias

    def _product(self, x_XI: Tensor) -> Tensor:
        if x_XI.device.type != "cpu":
            return F.linear(x_XI, self.weight.to(x_XI.dtype)) * self.scale_O
        flat_TI = x_XI.reshape(-1, x_XI.shape[-1])
        packed = x_XI.dtype == torch.bfloat16 and len(flat_TI) <= _FEW
        y_TO = (_packed if packed else _in_parts)(flat_TI, self.weight, self.scale_O)
        return y_TO.unflatten(0, x_XI.shape[:-1])


def _packed(x_TI: Tensor, weight_OI: Tensor, scale_O: Tensor) -> Tensor:
    return torch.ops.aten._weight_int8pack_mm(x_TI, weight_OI, scale_O)  # noqa: SLF001


def _in_parts(x_TI: Tensor, weight_OI: Tensor, scale_O: Tensor) -> Tensor:
    """Unpacks so much of the matrix at a time as caches hold."""
    y_TO = x_TI.new_empty(len(x_TI), len(weight_OI))
    for part, own_TO in zip(weight_OI.split(_PART), y_TO.split(_PART, 1), strict=True):
        own_TO.copy_(F.linear(x_TI, part.to(x_TI.dtype)))
    return y_TO.mul_(scale_O)
