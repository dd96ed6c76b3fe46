"""The desk that requests come to: each gets its turn, and a thread that runs it."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from threading import Event, get_ident
from typing import Protocol

from engine.batch import Batch
from engine.errors import EngineBusy, EngineError
from engine.turns import Turns
from engine.types import Draft, EngineInfo, InfillRequest, Suggestion, WorkspaceChange

log = logging.getLogger(__name__)

_MOST_FAILURES = 3
"""In a row, for reasons that nobody foresaw: after some errors on a GPU every other one follows."""
_OVERDUE_S = 60.0
"""A word may be so late, beyond the time that its request has."""

Word = Draft | Suggestion
Put = Callable[[Word | EngineError | None], None]


class Infiller(Protocol):
    """What is served: `engine.infill.Engine`, or what stands in for it.

    batch  how many requests it runs at once, and what they have in common
    """

    batch: Batch

    @property
    def info(self) -> EngineInfo: ...

    def infill(self, request: InfillRequest) -> Generator[Word, None, None]: ...

    def index(self, change: WorkspaceChange, /) -> int: ...


class Asked(Protocol):
    """Whoever answers for an engine: the desk before it, or one that passes questions on."""

    @property
    def info(self) -> EngineInfo: ...

    def words(self, request: InfillRequest, client: str = "") -> AsyncGenerator[Word, None]: ...

    async def index(self, change: WorkspaceChange) -> int: ...

    def trouble(self) -> str | None: ...


class Desk:
    """One engine, and whoever asks it.

    A step must not block the event loop, so each request that has its turn runs in a thread. One
    whose client vanished ends when its current step does.
    """

    def __init__(self, engine: Infiller) -> None:
        self.engine = engine
        batch = engine.batch
        self.turns = Turns(batch.size, batch.shared_by)
        self.threads = ThreadPoolExecutor(batch.size * batch.shared_by, thread_name_prefix="infill")
        self._failures = 0
        self._due_s: dict[int, float] = {}

    @property
    def info(self) -> EngineInfo:
        return self.engine.info

    async def index(self, change: WorkspaceChange) -> int:
        """Take in files of a workspace; returns how many are kept."""
        return await asyncio.to_thread(self.engine.index, change)

    def trouble(self) -> str | None:
        """Why the engine has to be started anew, in a sentence; None while it works."""
        if self._failures >= _MOST_FAILURES:
            return f"The last {self._failures} requests failed, see the log."
        if any(due_s < time.monotonic() for due_s in [*self._due_s.values()]):
            return f"The engine has said nothing for {_OVERDUE_S:.0f} s in which it should have."
        return None

    async def words(self, request: InfillRequest, client: str = "") -> AsyncGenerator[Word, None]:
        """Drafts, then one Suggestion. To cancel, close the generator.

        client  whoever takes turns with others; requests of the same client wait for each other,
                unless they are of one group

        Raises EngineError; EngineBusy when too many wait, or the time is up before it is its turn.
        """
        words: asyncio.Queue[Word | EngineError | None] = asyncio.Queue()
        stop = Event()
        turn = asyncio.create_task(self._turn(request, client, words.put_nowait, stop))
        said: Word | None = None
        try:
            while (word := await words.get()) is not None:
                if isinstance(word, EngineError):
                    raise word
                if word != said:  # an engine that waits for somebody repeats itself meanwhile
                    yield word
                said = word
        finally:
            stop.set()
            turn.cancel()

    async def _turn(self, request: InfillRequest, client: str, hear: Put, stop: Event) -> None:
        """Wait for a turn, and have it until the engine is done, however slowly that is read."""
        arrived_s, loop = time.monotonic(), asyncio.get_running_loop()
        patience_s = request.budget_ms / 1000 if request.budget_ms > 0 else None

        def put(word: Word | EngineError | None) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(hear, word)

        try:
            async with self.turns.turn(client, request.group, patience_s):
                left_ms = request.budget_ms - (time.monotonic() - arrived_s) * 1000
                timely = replace(request, budget_ms=max(left_ms, 0.0))
                await loop.run_in_executor(self.threads, self._run, timely, put, stop)
        except EngineBusy as error:
            hear(error)
        except Exception as error:
            log.exception("a request failed")
            hear(_unforeseen(error))

    def _run(self, request: InfillRequest, put: Put, stop: Event) -> None:
        """Put every word of the answer, or what went wrong, and None behind it; in a thread."""
        me, patience_s = get_ident(), request.budget_ms / 1000 + _OVERDUE_S
        self._due_s[me] = time.monotonic() + patience_s
        try:
            with self.engine.batch.member(), closing(self.engine.infill(request)) as steps:
                for word in steps:
                    self._due_s[me] = time.monotonic() + patience_s
                    put(word)
                    if stop.is_set():
                        break
            self._failures = 0
        except EngineError as error:
            put(error)
        except Exception as error:
            self._failures += 1
            log.exception("a request failed")
            put(_unforeseen(error))
        finally:
            del self._due_s[me]
        put(None)


def _unforeseen(error: Exception) -> EngineError:
    """What is said of an error that nobody foresaw."""
    return EngineError(f"The engine failed: {type(error).__name__}: {error}.")
