"""A machine that is busy with something else."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

import psutil

_SPIN = "while True: pass"


@contextmanager
def busy_cores() -> Generator[None]:
    """As many processes as there are cores, none of which ever waits."""
    with ExitStack() as stack:
        for _ in range(psutil.cpu_count() or 1):
            spinning = stack.enter_context(subprocess.Popen([sys.executable, "-c", _SPIN]))
            stack.callback(spinning.kill)
        yield
