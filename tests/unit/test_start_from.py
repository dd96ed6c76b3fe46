"""A run that begins with the weights of another model."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import CheckpointError
from engine.model import Denoiser
from engine.train.loop import Run, RunSettings
from tests.support.tiny_model import CPU
from tests.support.tiny_run import CONFIG, SHAPE, prepare

SETTINGS = RunSettings(1.0, SHAPE, compiled=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("runs") / "run")


def other_model(layers: int = 1, width: int = 64) -> Denoiser:
    torch.manual_seed(7)
    model = Denoiser(replace(CONFIG, layers=layers, width=width))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return model


def test_a_fresh_run_has_the_weights_it_starts_from(folder: Path) -> None:
    given = other_model()
    run = Run(folder, CONFIG, SETTINGS, CPU, start_from=given)
    assert all(
        value.equal(given.state_dict()[name]) for name, value in run.model.named_parameters()
    )


def test_weights_that_only_the_new_model_has_stay_as_drawn(folder: Path) -> None:
    given = other_model()
    run = Run(folder, replace(CONFIG, layers=2), SETTINGS, CPU, start_from=given)
    fresh = Run(folder, replace(CONFIG, layers=2), SETTINGS, CPU)
    for name, value in run.model.named_parameters():
        source = given.state_dict().get(name, fresh.model.state_dict()[name])
        assert value.equal(source), name


def test_a_run_that_was_begun_goes_on_with_its_own_weights(folder: Path) -> None:
    begun = Run(folder, CONFIG, SETTINGS, CPU)
    begun.save()
    run = Run(folder, CONFIG, SETTINGS, CPU, start_from=other_model())
    own = begun.model.state_dict()
    assert all(value.equal(own[name]) for name, value in run.model.named_parameters())
    (folder / "state.pt").unlink()


@pytest.mark.parametrize(
    "other", [other_model(layers=2), other_model(width=128)], ids=["layers", "width"]
)
def test_a_model_that_does_not_fit_is_refused(folder: Path, other: Denoiser) -> None:
    with pytest.raises(CheckpointError) as caught:
        Run(folder, CONFIG, SETTINGS, CPU, start_from=other)
    assert "\n" not in str(caught.value)
