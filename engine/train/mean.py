"""Between the model that a run began with and the one it ended with.

Two models of one origin lie in one basin, and a mean of their weights often predicts unseen code
better than either: `engine/train/LOG.md` has the losses.

Source: WiSE-FT, arXiv:2109.01903.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import torch

from engine.model import Denoiser

SHARES = (1.0, 0.85, 0.7, 0.5)
"""Of the newer model, to choose from."""


class Mean(NamedTuple):
    """A mean of two models, the newer one's share in it, and its loss, where that is known."""

    model: Denoiser
    share: float
    loss: float | None


@torch.no_grad()
def between(older: Denoiser, newer: Denoiser, share: float) -> Denoiser:
    """The mean of two models of one shape, `share` of it the newer one; where that is."""
    mean, origin = deepcopy(newer), older.state_dict()
    for name, value in newer.state_dict().items():
        mean.state_dict()[name].copy_(origin[name].to(value).lerp(value, share))
    return mean


def best_mean(older: Denoiser, newer: Denoiser, loss: Callable[[Denoiser], float | None]) -> Mean:
    """The mean of least loss; of equals, or where no loss is known, the one with more of newer."""
    means = [between(older, newer, share) for share in SHARES]
    found = [Mean(mean, share, loss(mean)) for mean, share in zip(means, SHARES, strict=True)]
    return min(found, key=lambda one: one.loss or 0.0)
