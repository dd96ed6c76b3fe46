"""How many threads torch gets, and how they wait. Free of torch: asked before its import."""

import os

PASSIVE_WAITING = {
    "OMP_WAIT_POLICY": "passive",
    "GOMP_SPINCOUNT": "0",
    "KMP_BLOCKTIME": "0",
}
"""OpenMP threads that wait asleep.

By default they spin for work between two operations and take the processor from whoever has some.
On a 2-core virtual machine with other programs running, a pass over a canvas of the default model
took 720-1,850 ms with the default and 14-18 ms so, two threads (2026-11-22).
"""


SERVING_THREADS = 1
"""Threads that fill a hole, on the CPU.

A pass over a canvas of the default model is many small operations, and waking a second thread for
each costs more than it saves: with five rows of 16 slots, on two idle cores of an AMD EPYC, a pass
took 11.4 ms with one thread and 17.4 ms with two; reading 280 tokens of context 22 and 29 ms
(medians, 2026-11-22).
"""


def wait_passively() -> None:
    """Put `PASSIVE_WAITING` in the environment, where the user has not set it. Before torch."""
    for name, value in PASSIVE_WAITING.items():
        os.environ.setdefault(name, value)


def usable_cores() -> int:
    """Physical cores this process may run on; two threads on one core are slower than one."""
    import psutil  # not needed by a process that only sets the environment

    cores = psutil.cpu_count(logical=False) or 1
    if hasattr(os, "sched_getaffinity"):
        return min(cores, len(os.sched_getaffinity(0)))
    return cores
