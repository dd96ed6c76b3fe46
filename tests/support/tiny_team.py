"""A tiny run by several processes, in time that goes on by itself.

torchrun --nproc-per-node 2 -m tests.support.tiny_team FOLDER STEPS [RANK STEP]

The process RANK ends at STEP, as if killed. On stdout, from every process, what it reports.
"""

import os
import signal
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

from engine.errors import EngineError
from engine.train import loop
from engine.train.meter import Report
from engine.train.team import Team, team
from tests.support.tiny_run import tiny_run

STEP_S = 0.5
"""What a step takes by the clock of `run_by_steps`."""


def run_by_steps(
    folder: Path, steps: int, together: Team, killed: tuple[int, int] | None = None
) -> None:
    """Train to so many steps, saving after each; `killed`: who ends, and at which step."""
    ticks = count()

    def clock() -> float:
        tick = next(ticks)
        if killed and killed == (together.rank, tick // 2):  # two in a step that is not reported
            os.kill(os.getpid(), signal.SIGKILL)
        return tick * STEP_S

    loop.time = SimpleNamespace(monotonic=clock)  # type: ignore[assignment]
    run = tiny_run(folder, steps * STEP_S / 60, save_minutes=0.0, team=together)

    def say(row: Report) -> None:
        print(f"rank {together.rank} step {row.step}", flush=True)

    run.train(say, report_seconds=0.0)


def main() -> int:
    folder, steps, *killed = sys.argv[1:]
    rank_and_step = (int(killed[0]), int(killed[1])) if killed else None
    try:
        with team("cpu") as together:
            run_by_steps(Path(folder), int(steps), together, rank_and_step)
    except EngineError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
