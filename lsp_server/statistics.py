"""Counts of what was shown and accepted, kept in one file on this machine and sent nowhere.

Everything in it is a sum, so that several editors add to one file without knowing of each other.
"""

import json
import logging
import math
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

LOCK_PATIENCE_S = 1.0
BATCH = 50
"""Counts are added to the file after so many, and when the editor leaves."""

_STEP = 1.1
"""A waiting time is known within a tenth: the counts are kept by powers of this, milliseconds."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a user may want to know.

    shown, accepted, rejected  suggestions
    characters_saved           characters of those accepted
    p50_ms, p95_ms             from request to suggestion, None before the first
    """

    shown: int
    accepted: int
    rejected: int
    characters_saved: int
    p50_ms: float | None
    p95_ms: float | None

    def text(self) -> str:
        """For a terminal, one line for each."""
        lines = ((name, "-" if value is None else value) for name, value in asdict(self).items())
        return "\n".join(f"{name:18}{value}" for name, value in lines)


def path() -> Path:
    """Where the counts are kept."""
    import platformdirs

    return platformdirs.user_state_path("sfumato", appauthor=False) / "statistics.json"


class Statistics:
    """Counts since the last time they were added to the file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._new: Counter[str] = Counter()

    def count(self, event: str, characters: int = 0) -> None:
        """One suggestion was "shown", "accepted" (with so many characters) or "rejected"."""
        self._new[event] += 1
        self._new["characters_saved"] += characters
        if self._new.total() > BATCH:
            self.save(patience_s=0)

    def waited(self, spent_ms: float) -> None:
        """A suggestion took so long from the request on."""
        self._new[f"waited {round(math.log(max(1.0, spent_ms), _STEP))}"] += 1

    def summary(self) -> Summary:
        """The file's counts and the new ones."""
        return _summarised(read(self._file) + self._new)

    def save(self, patience_s: float = LOCK_PATIENCE_S) -> None:
        """Add the new counts to the file; where that fails they stay here, to be tried again.

        patience_s  to wait for another editor that is at it; none while the user types
        """
        import filelock

        if not self._new:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(f"{self._file}.lock", timeout=patience_s):
                partial = self._file.with_suffix(".partial")
                partial.write_text(json.dumps(read(self._file) + self._new))
                partial.replace(self._file)
            self._new.clear()
        except (OSError, filelock.Timeout) as error:
            logger.warning("statistics were not saved: %s", error)


def summary_of(file: Path) -> Summary:
    """What a file of counts says; zeros where there is none."""
    return _summarised(read(file))


def read(file: Path) -> Counter[str]:
    """The counts in a file; none where there is no file, or one that is no counts."""
    try:
        found = json.loads(file.read_text())
        return Counter({str(name): int(number) for name, number in found.items()})
    except FileNotFoundError:
        return Counter()
    except (OSError, ValueError, AttributeError, TypeError) as error:
        logger.warning("%s cannot be read and is begun anew: %s", file, error)
        return Counter()


def _summarised(counts: Counter[str]) -> Summary:
    waits = {
        int(name.removeprefix("waited ")): number
        for name, number in counts.items()
        if name.startswith("waited ")
    }
    return Summary(
        counts["shown"],
        counts["accepted"],
        counts["rejected"],
        counts["characters_saved"],
        _percentile(waits, 0.5),
        _percentile(waits, 0.95),
    )


def _percentile(waits: dict[int, int], share: float) -> float | None:
    """Milliseconds within which that share of the waits ended, to a tenth."""
    left = share * sum(waits.values())
    for power in sorted(waits):
        left -= waits[power]
        if left <= 0:
            return round(_STEP**power, 1)
    return None
