"""A model's matrices in another form, which says the same in less time or less memory."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.device import Placement
from engine.families.int8 import Int8Linear
from engine.matrix import LaidLinear, can_lay_out

Kind = Callable[[Tensor, Tensor | None], nn.Module]
"""Makes a layer of a matrix [O, I] and its bias [O]."""


class Stacked(nn.Module):
    """Matrices of one shape, one beside the other, [P, O, I]."""

    def __init__(self, count: int, outputs: int, inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, outputs, inputs))

    def forward(self, x_XI: Tensor, index: int) -> Tensor:
        return F.linear(x_XI, self.weight[index])


class Apart(nn.ModuleList):
    """The same as layers of their own."""

    def forward(self, x_XI: Tensor, index: int) -> Tensor:
        return self[index](x_XI)


def kind_for(placement: Placement) -> Kind | None:
    """What matrices are to be in the layers of a model there; None: as they are."""
    if placement.int8:
        return Int8Linear
    return LaidLinear if can_lay_out(placement.device) else None


def exchange(module: nn.Module, kind: Kind) -> None:
    """Exchange every linear layer below a module, one after the other; no kind of its own."""
    for name, child in list(module.named_children()):
        if type(child) is nn.Linear:
            setattr(module, name, kind(child.weight, child.bias))
        elif isinstance(child, Stacked):
            setattr(module, name, Apart(kind(weight, None) for weight in child.weight))
        else:
            exchange(child, kind)
