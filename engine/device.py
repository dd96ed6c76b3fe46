"""What the machine offers, and the settings that suit it."""

import time
from dataclasses import dataclass

import torch

from engine.errors import DeviceError
from engine.matrix import product_with
from engine.threads import usable_cores


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and in what precision to compute. `threads` is the intra-op count, 0 off the CPU.

    int8    do other people's models keep their matrices in 8 bits?
    others  devices, beside the first, over which other people's models are spread
    """

    device: torch.device
    dtype: torch.dtype
    threads: int
    int8: bool = False
    others: tuple[torch.device, ...] = ()


def place(name: str = "auto", threads: int | None = None) -> Placement:
    """Choose device, dtype and threads, and set torch's thread count.

    bfloat16 is used only where the processor multiplies it natively (AVX512-BF16, AMX, a GPU):
    elsewhere it is emulated and slower than float32. Threads default to the physical cores: more
    make every barrier wait for a thread that has no core. Of other people's models: "cpu+int8" and
    "cuda+int8" have matrices in 8 bits (`engine/families/int8.py`), "cuda:all" is over all GPUs
    (`engine/families/spread.py`).

    Raises DeviceError for a device that torch does not know or cannot see.
    """
    name, _, weights = name.partition("+")
    if weights not in ("", "int8"):
        raise DeviceError(f'weights cannot be "{weights}": say "{name}+int8", or just "{name}"')
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    name, everywhere = ("cuda:0", True) if name == "cuda:all" else (name, False)
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(f'device "{name}" is not usable here ({reason}): try "cpu"') from error
    if device.type != "cpu":
        count = torch.cuda.device_count() if everywhere else 0
        others = tuple(torch.device("cuda", index) for index in range(1, count))
        return Placement(device, torch.bfloat16, 0, weights == "int8", others)
    count = threads or usable_cores()
    torch.set_num_threads(count)
    dtype = torch.bfloat16 if _native_bfloat16() else torch.float32
    return Placement(device, dtype, count, weights == "int8")


@torch.inference_mode()
def matmul_flops(placement: Placement, tries: int = 20) -> float:
    """FLOP/s of the product of two large square matrices, the best of so many tries.

    As torch multiplies them and laid out, which in float32 was three times as fast on an EPYC.
    """
    side = 1024 if placement.device.type == "cpu" else 8192
    square = torch.randn(side, side, device=placement.device).to(placement.dtype)
    least_s = float("inf")
    for multiply in (square.matmul, product_with(square)) * tries:
        began = time.perf_counter()
        multiply(square)[0, 0].item()  # waits for an accelerator
        least_s = min(least_s, time.perf_counter() - began)
    return 2 * side**3 / least_s


def _native_bfloat16() -> bool:
    cpu = torch.cpu
    return bool(cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported())  # pyright: ignore[reportPrivateUsage]
