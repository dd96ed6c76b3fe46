"""Between the model that a run began with and the one it ended with."""

from dataclasses import replace

import pytest
import torch

from engine.model import Denoiser
from engine.train.mean import SHARES, best_mean, between
from tests.support.tiny_run import CONFIG


def constant(value: float) -> Denoiser:
    model = Denoiser(replace(CONFIG, pointer=True))
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, value)
    return model


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_every_weight_is_as_far_between_as_is_asked(share: float) -> None:
    older, newer = constant(2.0), constant(4.0)
    mean = between(older, newer, share)
    assert all((weight == 2 + 2 * share).all() for weight in mean.parameters())
    assert all((weight == 4).all() for weight in newer.parameters())


@pytest.mark.parametrize("share", SHARES)
def test_the_mean_of_least_loss_is_found(share: float) -> None:
    def loss(model: Denoiser) -> float:
        return abs(next(model.parameters()).flatten()[0].item() - share) + 1

    found = best_mean(constant(0.0), constant(1.0), loss)
    assert found.share == share
    assert found.loss == pytest.approx(1.0)
    assert next(found.model.parameters()).flatten()[0].item() == pytest.approx(share)


def test_without_a_loss_it_is_the_newer_model() -> None:
    assert best_mean(constant(0.0), constant(1.0), lambda _: None).share == 1
