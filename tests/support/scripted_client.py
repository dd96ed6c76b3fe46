"""A stand-in for `engine.client.EngineClient`: no process, and every step waits for leave."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from engine import (
    Alternative,
    Draft,
    EngineError,
    EngineInfo,
    InfillRequest,
    Suggestion,
    Survey,
    SurveyRequest,
    Timings,
    WorkspaceChange,
)
from engine.survey import survey

Answer = Callable[[InfillRequest], Sequence[Draft | Suggestion | EngineError]]

LIMIT_S = 30.0
"""Bound of every wait in these tests; none is expected to come near it."""

INFO = EngineInfo("0.1.0", "scripted", "0" * 64, 0, "cpu", "float32", 1)


def suggestion(text: str) -> Suggestion:
    return Suggestion(text, -0.5, "valid", Timings(0, 0, 0, 0, 0, 0, 0, 0))


def alternative(text: str) -> Alternative:
    return Alternative(text, -1.0, "valid")


def always(text: str) -> Answer:
    """Fill every hole alike, without drafts."""
    return lambda _: [suggestion(text)]


class ScriptedClient:
    """Streams what `answer` gives; an error in it is raised.

    requests  all there were
    asked     gets each request when it comes
    given     gets each word when it is given
    ended     gets True for each stream read to its Suggestion, False for one closed before
    indexed   text of every file by workspace and name
    changes   gets each change to a workspace
    leave     a permit for each step; `run_freely` gives all there are
    """

    def __init__(self, answer: Answer) -> None:
        self.info = INFO
        self.requests: list[InfillRequest] = []
        self.asked: asyncio.Queue[InfillRequest] = asyncio.Queue()
        self.ended: asyncio.Queue[bool] = asyncio.Queue()
        self.given: asyncio.Queue[Draft | Suggestion] = asyncio.Queue()
        self.leave = asyncio.Semaphore(0)
        self.indexed: dict[str, dict[str, bytes]] = {}
        self.changes: asyncio.Queue[WorkspaceChange] = asyncio.Queue()
        self.closed = False
        self._answer = answer
        self._free = False

    def run_freely(self) -> "ScriptedClient":
        self._free = True
        return self

    async def infill(self, request: InfillRequest) -> AsyncGenerator[Draft | Suggestion, None]:
        self.requests.append(request)
        self.asked.put_nowait(request)
        complete = False
        try:
            for word in self._answer(request):
                if not self._free:
                    await self.leave.acquire()
                if isinstance(word, EngineError):
                    raise word
                complete = isinstance(word, Suggestion)
                self.given.put_nowait(word)
                yield word
        finally:
            self.ended.put_nowait(complete)

    async def survey(self, request: SurveyRequest) -> Survey:
        return survey(request)

    async def index(self, change: WorkspaceChange) -> int:
        """Take files in as an engine does, and remember under which names."""
        kept = self.indexed.setdefault(change.workspace, {})
        for name in change.gone:
            kept.pop(name, None)
        kept |= {file.name: file.text for file in change.files}
        self.changes.put_nowait(change)
        return len(kept)

    async def close(self) -> None:
        self.closed = True
