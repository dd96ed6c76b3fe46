"""Training learns, and loses nothing."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Timer
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from engine import checkpoint
from engine.errors import CheckpointError, EngineError
from engine.model import Denoiser
from engine.train.curve import draw_curve
from engine.train.loop import Run, RunSettings, validation_loss
from engine.train.meter import Report
from engine.train.optim import rate
from engine.train.pack import load_packed
from tests.support.processes import LIMIT_S
from tests.support.tiny_model import CPU
from tests.support.tiny_run import CONFIG, SHAPE, prepare, tiny_run

STEP_S = 0.5
"""What a step takes by the clock of these tests."""
STEPS = 60


@pytest.fixture(autouse=True, scope="module")
def clock() -> Iterator[None]:
    """Time that goes on by itself: a budget is a number of steps, on any machine."""
    ticks = count()
    own = SimpleNamespace(monotonic=lambda: next(ticks) * STEP_S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.train.loop.time", own)
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("prepared") / "run")


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "run"))


def minutes(steps: int) -> float:
    return steps * STEP_S / 60


def trained(folder: Path, steps: int) -> list[Report]:
    """Train to so many steps in all; a report for each."""
    reports: list[Report] = []
    tiny_run(folder, minutes(steps)).train(reports.append, report_seconds=0.0)
    return reports


def weights(model: Denoiser) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def curve(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Path:
    """A run seen to its end."""
    folder = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("finished") / "run"))
    trained(folder, STEPS)
    return folder


def test_the_loss_falls_well_below_the_start(finished: Path) -> None:
    rows = curve(finished)
    first, last = rows[:3], rows[-3:]
    for part in ("loss", "canvas", "prefix", "suffix"):
        assert sum(r[part] for r in last) < 0.8 * sum(r[part] for r in first), part


def test_the_curve_has_a_row_for_every_report_up_to_the_end(finished: Path) -> None:
    rows = curve(finished)
    assert [row["step"] for row in rows][:3] == [1, 2, 3]
    assert rows[-1]["step"] >= STEPS - 1
    assert [row["tokens"] for row in rows] == [row["step"] * 4 * 64 for row in rows]
    assert all(0 <= row["progress"] <= 1 for row in rows)


def test_the_curve_says_how_well_the_machine_is_used_and_how_each_language_goes(
    finished: Path,
) -> None:
    for row in curve(finished):
        assert 0 < row["mfu"] < 1
        assert row["languages"].keys() == {"python"}
        assert row["languages"]["python"] == pytest.approx(row["canvas"], rel=1e-5)


def test_a_finished_run_leaves_its_weights_as_a_checkpoint(finished: Path) -> None:
    found = checkpoint.load(finished / "checkpoint")
    assert found.context_tokens == SHAPE.tokens
    run = tiny_run(finished, minutes(STEPS))
    expected = weights(run.model).to(torch.bfloat16).float()
    assert weights(found.model).equal(expected)


def test_a_finished_run_that_is_run_again_adds_nothing(finished: Path) -> None:
    before, rows = weights(tiny_run(finished, minutes(STEPS)).model), curve(finished)
    assert trained(finished, STEPS) == []
    assert weights(tiny_run(finished, minutes(STEPS)).model).equal(before)
    assert curve(finished) == rows


def test_the_curve_becomes_a_picture(finished: Path) -> None:
    draw_curve(finished)
    assert (finished / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_held_out_text_is_measured_alike_each_time(finished: Path) -> None:
    run, packed = tiny_run(finished, minutes(STEPS)), load_packed(finished / "packed")["valid"]
    fresh = Denoiser(CONFIG)
    losses = [
        validation_loss(model, packed, {}, SHAPE, CPU, count=2)
        for model in (run.model, run.model, fresh)
    ]
    assert losses[0] == losses[1]
    assert losses[0] is not None
    assert losses[2] is not None
    assert losses[0] < losses[2]


def test_without_enough_held_out_text_nothing_is_measured() -> None:
    assert validation_loss(Denoiser(CONFIG), {}, {}, SHAPE, CPU) is None


class Killed(BaseException):
    """As sudden as a kill, in the middle of a report."""


def test_a_run_stopped_and_taken_up_again_ends_where_it_would_have(
    folder: Path, tmp_path: Path
) -> None:
    whole = Path(shutil.copytree(folder, tmp_path / "whole"))
    trained(whole, 12)

    def stop(row: Report) -> None:
        if row.step == 6:
            raise Killed

    with pytest.raises(Killed):
        tiny_run(folder, minutes(12), save_minutes=0.0).train(stop, report_seconds=0.0)
    assert tiny_run(folder, minutes(12)).step == 5
    trained(folder, 12)
    one, other = tiny_run(whole, 1), tiny_run(folder, 1)
    assert (one.step, one.tokens, one.seconds) == (other.step, other.tokens, other.seconds)
    assert weights(one.model).equal(weights(other.model))


def test_the_curve_of_a_run_taken_up_again_goes_on_from_there(folder: Path) -> None:
    def stop(row: Report) -> None:
        if row.step == 9:
            raise Killed

    with pytest.raises(Killed):
        tiny_run(folder, minutes(12), save_minutes=4 * STEP_S / 60).train(stop, 0.0)
    saved = tiny_run(folder, minutes(12)).step
    assert 0 < saved < 9
    trained(folder, 12)
    steps = [row["step"] for row in curve(folder)]
    assert steps == sorted(set(steps))


def test_a_curve_cut_in_the_middle_of_a_row_is_no_obstacle(folder: Path) -> None:
    trained(folder, 3)
    whole = (folder / "curve.jsonl").read_text()
    (folder / "curve.jsonl").write_text(whole[:-20])
    trained(folder, 6)
    draw_curve(folder)
    assert (folder / "curve.png").exists()


def test_a_longer_budget_lengthens_a_finished_run(folder: Path) -> None:
    trained(folder, 3)
    reports = trained(folder, 6)
    assert [row.step for row in reports][:2] == [4, 5]


@pytest.mark.parametrize("content", [b"", b"hello", b"garbage", b"PK\x03\x04", "truncated"])
def test_a_state_that_cannot_be_read_is_named(folder: Path, content: bytes | str) -> None:
    trained(folder, 2)
    state = folder / "state.pt"
    whole = state.read_bytes()
    state.write_bytes(content if isinstance(content, bytes) else whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"state\.pt") as caught:
        tiny_run(folder, minutes(4))
    assert "\n" not in str(caught.value)


def test_a_run_of_another_shape_is_not_taken_up(folder: Path) -> None:
    trained(folder, 2)
    settings = RunSettings(1.0, SHAPE, compiled=False)
    with pytest.raises(EngineError, match="another shape"):
        Run(folder, replace(CONFIG, layers=2), settings, CPU)


@pytest.mark.parametrize("room", [1_000, 60_000, 200_000])
def test_where_the_disk_is_full_what_was_saved_stays_whole(folder: Path, room: int) -> None:
    """Files may grow to so many bytes: less than the state, or than the checkpoint, needs."""
    resource = pytest.importorskip("resource")
    trained(folder, 2)
    run, before = tiny_run(folder, minutes(9)), (folder / "state.pt").read_bytes()
    assert room < len(before)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(CheckpointError, match=str(folder)) as caught:
            run.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    assert (folder / "state.pt").read_bytes() == before
    assert tiny_run(folder, minutes(9)).step == run.step
    checkpoint.verify(folder / "checkpoint")


def test_where_only_the_checkpoint_finds_no_room_it_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(folder, 2)
    run = tiny_run(folder, minutes(9))

    def full(*_: object) -> None:
        raise SafetensorError("Error while serializing: No space left on device (os error 28)")

    monkeypatch.setattr("engine.checkpoint.save_file", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        run.save()
    checkpoint.verify(folder / "checkpoint")


def test_a_killed_process_is_taken_up_where_it_saved(folder: Path) -> None:
    program = (sys.executable, "-m", "tests.support.tiny_run", folder, "60")
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        watchdog = Timer(2 * LIMIT_S, process.kill)
        watchdog.start()
        seen = [int(line) for line, _ in zip(process.stdout, range(4), strict=False)]
        process.kill()
        watchdog.cancel()
    assert seen == [1, 2, 3, 4]
    resumed = tiny_run(folder, 1.0)
    assert resumed.step >= 3
    steps = resumed.step + 5
    resumed.settings = replace(resumed.settings, minutes=resumed.seconds / 60 + minutes(5))
    reports: list[Report] = []
    resumed.train(reports.append, report_seconds=0.0)
    assert reports[0].step == steps - 4
    assert checkpoint.load(folder / "checkpoint").name == "sfumato-0.1m"


def test_the_rate_warms_up_holds_and_falls_to_nothing() -> None:
    rates = [rate(step / 100) for step in range(101)]
    assert 0 < rates[0] < 0.1
    assert rates[10:50] == [1.0] * 40
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[-1] == 0
