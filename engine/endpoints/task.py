"""What a client wants of the engine, whatever dialect it spoke, and what came of it."""

import secrets
from dataclasses import dataclass
from typing import Literal

from engine.endpoints.holes import HoledText
from engine.types import InfillRequest, Span, Suggestion, Timings

BUDGET_MS = 2000.0
"""For a fill where the client names no time; the wait for its turn is taken off."""

MAX_LINES = 10
"""Lines of a fill where no stop string rules out a line break; more are seldom right."""

MAX_CHOICES = 8

Finish = Literal["stop", "length"]
"""stop: the fill is whole, or ends before a stop string; length: it has all tokens it may have."""


@dataclass(frozen=True, slots=True)
class Task:
    """A hole, and what its fill may be like.

    stop         texts before the first of which the fill ends
    max_tokens   tokens the engine may fill in; None for its own limit
    choices      different fills wanted, at most MAX_CHOICES
    considered   fills to choose them from, where that is more
    temperature  0 for the likeliest tokens
    seed         None: always the same at temperature 0, otherwise drawn
    """

    text: HoledText
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    choices: int = 1
    temperature: float = 0.0
    seed: int | None = None
    budget_ms: float = BUDGET_MS
    considered: int = 1

    def request(self) -> InfillRequest:
        """The task in the engine's words."""
        before, after = self.text.before.encode(), self.text.after.encode()
        seed = self.seed
        if seed is None:
            seed = secrets.randbits(31) if self.temperature else 0
        return InfillRequest(
            before + after,
            Span(len(before), len(before)),
            self.text.language,
            max_lines=1 if {"\n", "\r\n"} & set(self.stop) else MAX_LINES,
            budget_ms=self.budget_ms,
            seed=seed,
            alternatives=max(self.choices, self.considered),
            max_tokens=self.max_tokens,
            temperature=self.temperature,
        )


@dataclass(frozen=True, slots=True)
class Fill:
    """One fill as the client gets it. stopped_by is the stop string it ends before, "" if none."""

    text: str
    finish: Finish
    stopped_by: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fills of a task, as many as were asked for, best first; and what they cost.

    completion_tokens  filled in for all of them, those behind a stop string included
    """

    fills: tuple[Fill, ...]
    completion_tokens: int
    timings: Timings


def outcome(task: Task, found: Suggestion) -> Outcome:
    """Cut what was found at the stop strings. The best is repeated where there are not enough."""
    pairs = [(found.text, found.timings.filled_tokens)]
    pairs += [(other.text, other.filled_tokens) for other in found.others]
    fills = [_cut(text, tokens, task) for text, tokens in pairs[: task.choices]]
    fills += fills[:1] * (task.choices - len(fills))
    return Outcome(tuple(fills), sum(tokens for _, tokens in pairs), found.timings)


def _cut(text: str, tokens: int, task: Task) -> Fill:
    found = [(text.index(stop), stop) for stop in task.stop if stop and stop in text]
    if found:
        place, stop = min(found)
        return Fill(text[:place], "stop", stop)
    return Fill(text, "length" if tokens == task.max_tokens else "stop")
