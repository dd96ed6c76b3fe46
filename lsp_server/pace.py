"""How fast the user types, and so how long it is worth waiting for the next key."""

from collections import deque
from collections.abc import Callable
from statistics import median

MOST_MS = 75.0
"""To wait at most, and as long as there is nothing to go by."""
CALM_MS = 150.0
"""Who leaves so long between two keys is not made to wait: the engine may be asked at each."""
_LEAST, _KEPT = 4, 12
_TYPING_MS = (10.0, 1_000.0)
"""What is closer together a program did; what is further apart is a pause."""


class Pace:
    """The times between the last keys.

    clock  seconds, from any start
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last_s: float | None = None
        self._between_ms: deque[float] = deque(maxlen=_KEPT)

    def key(self) -> None:
        """The user has changed a document."""
        now_s, last_s = self._clock(), self._last_s
        self._last_s = now_s
        shortest, longest = _TYPING_MS
        if last_s is not None and shortest <= (now_s - last_s) * 1000 <= longest:
            self._between_ms.append((now_s - last_s) * 1000)

    @property
    def wait_ms(self) -> float:
        """How long to wait for a further key: less, the slower they come."""
        if len(self._between_ms) < _LEAST:
            return MOST_MS
        return min(MOST_MS, max(0.0, CALM_MS - median(self._between_ms)))
