"""What the machine can do at best, and the least time that a piece of work takes it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.device import Placement, matmul_flops
from engine.matrix import flop_formulas

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Machine:
    """Measured rates, with the threads and in the precision that the engine uses.

    read_gb_s      reading a buffer as large as the weights, which a cache may hold
    stream_gb_s    reading a buffer that no cache holds
    gemm_gflop_s   the product of two large square matrices
    """

    read_gb_s: float
    stream_gb_s: float
    gemm_gflop_s: float

    def floor_ms(self, work: Callable[[], object], read_bytes: int) -> float:
        """The longer of reading so many bytes and computing the matrix products in `work`."""
        with FlopCounterMode(display=False, custom_mapping=flop_formulas()) as counter:
            work()
        compute_ms = counter.get_total_flops() / self.gemm_gflop_s / 1e6
        return max(compute_ms, read_bytes / self.read_gb_s / 1e6)


@torch.inference_mode()
def measure_machine(placement: Placement, weight_bytes: int) -> Machine:
    """The best of several tries each: a floor is what is possible."""
    device = placement.device
    weights = torch.ones(weight_bytes // 4, device=device)
    memory = torch.ones(2**26, device=device)
    return Machine(
        read_gb_s=4e-6 * weights.numel() / _least_ms(weights.sum, device),
        stream_gb_s=4e-6 * memory.numel() / _least_ms(memory.sum, device),
        gemm_gflop_s=matmul_flops(placement) / 1e9,
    )


def _least_ms(work: Callable[[], object], device: torch.device) -> float:
    least_ms = float("inf")
    for _ in range(_TRIES):
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        least_ms = min(least_ms, (time.perf_counter() - began) * 1000)
    return least_ms
