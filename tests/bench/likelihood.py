"""Weights of the greatest likelihood, for what is fitted to holes of real projects."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_DECAY = 1e-4


def maximise(weights: Sequence[Tensor], nats: Callable[[], Tensor]) -> None:
    """Bring leaf tensors to where `nats` of them is least; a little decay keeps them small."""
    optimizer = torch.optim.LBFGS(list(weights), max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        total = nats() + _DECAY * sum(each.square().sum() for each in weights)
        total.backward()
        return total.item()

    optimizer.step(loss)
    assert math.isfinite(loss())
