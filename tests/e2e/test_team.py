"""Several processes train as one would, and what one of them saved outlives a kill."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed as dist

from engine.train import loop
from engine.train.team import ALONE
from tests.support.processes import LIMIT_S
from tests.support.tiny_run import prepare, tiny_run
from tests.support.tiny_team import run_by_steps

ROOT = Path(__file__).parents[2]
STEPS = 8

pytestmark = pytest.mark.skipif(not dist.is_gloo_available(), reason="torch is built without gloo")


def torchrun(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Two processes of `tests.support.tiny_team`."""
    program = (*(sys.executable, "-m", "torch.distributed.run", "--standalone"),)
    team = ("--nproc-per-node", "2", "-m", "tests.support.tiny_team", *map(str, arguments))
    return subprocess.run(
        [*program, *team],
        cwd=ROOT,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=4 * LIMIT_S,
        check=False,
    )


def curve(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]


def test_two_processes_end_where_one_does_even_if_one_is_killed_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, together = prepare(tmp_path / "alone"), prepare(tmp_path / "together")
    with monkeypatch.context() as patch:
        patch.setattr(loop, "time", loop.time)  # put back afterwards
        run_by_steps(alone, STEPS, ALONE)

    broken = torchrun(together, STEPS, 1, 5)
    assert broken.returncode != 0
    assert "another process of this training has ended" in broken.stderr
    assert {line.split()[1] for line in broken.stdout.splitlines()} == {"0"}
    assert 0 < tiny_run(together, 1).step < STEPS

    resumed = torchrun(together, STEPS)
    assert resumed.returncode == 0, resumed.stderr
    assert "rank 1" not in resumed.stdout
    one, two = curve(alone), curve(together)
    assert [row["step"] for row in one] == [row["step"] for row in two]
    for name in ("loss", "canvas", "prefix", "suffix"):
        losses = [torch.tensor([row[name] for row in rows]) for rows in (one, two)]
        torch.testing.assert_close(*losses, rtol=1e-4, atol=0)
    assert one[-1]["valid_canvas"] == pytest.approx(two[-1]["valid_canvas"], rel=1e-3)
