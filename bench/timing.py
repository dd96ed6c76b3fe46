"""Times, repeated and side by side: medians with quartiles."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

_WARM_UP = 2


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of repeated measurements, and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Of one measurement or more."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.low)}-{_short(self.high)})"


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def side_by_side(variants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Spread]:
    """Milliseconds of each variant, called in turn round after round: load strikes all alike."""
    taken_ms: dict[str, list[float]] = {name: [] for name in variants}
    for variant in variants.values():
        for _ in range(_WARM_UP):
            variant()
    for _ in range(rounds):
        for name, variant in variants.items():
            began = time.perf_counter()
            variant()
            taken_ms[name].append((time.perf_counter() - began) * 1000)
    return {name: Spread.of(values) for name, values in taken_ms.items()}


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
