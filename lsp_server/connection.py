"""The way to the engine: connects in the background, says how it stands, never fails a request."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from engine.errors import CheckpointError, EngineError, EngineUnreachable, RequestTooLong
from engine.types import (
    Draft,
    EngineInfo,
    InfillRequest,
    Suggestion,
    Survey,
    SurveyRequest,
    WorkspaceChange,
)

logger = logging.getLogger(__name__)

BACK_OFF_S = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Pause after the first, second, ... failed attempt in a row before a request starts another."""

_UNCHECKED = "No grammar for this language is installed, so syntax is not checked."


class Client(Protocol):
    """What is needed of `engine.client.EngineClient`."""

    @property
    def info(self) -> EngineInfo:
        """Of the handshake."""
        ...

    def infill(self, request: InfillRequest) -> AsyncGenerator[Draft | Suggestion, None]:
        """Drafts, then one Suggestion; closing the generator stops the engine."""
        ...

    async def survey(self, request: SurveyRequest) -> Survey:
        """What there is to do in a text."""
        ...

    async def index(self, change: WorkspaceChange) -> int:
        """Take in files of a workspace; says how many are kept."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


Connect = Callable[[], Awaitable[Client]]


State = Literal["starting", "idle", "busy", "off", "error"]


@dataclass(frozen=True, slots=True)
class Status:
    """What `$/sfumato/status` tells the editor.

    state            "starting" while an engine is sought, "off" by the user's settings, "error"
                     without one
    last_ms          what the last answer of the engine took, milliseconds
    tokens_per_pass  of that answer: how many tokens a forward pass filled
    message          in state "error" or "off" one sentence why, else ""
    silence          why the last request got no suggestion, a sentence; "" if it got one
    broken           whether only the user can mend it: the model is missing or damaged
    unchecked        why the last answer's syntax was not checked, a sentence; "" if it was
    """

    state: State
    model: str | None = None
    device: str | None = None
    last_ms: float | None = None
    tokens_per_pass: float | None = None
    message: str = ""
    silence: str = ""
    broken: bool = False
    unchecked: str = ""


class Connection:
    """At most one engine client, found or started when first wanted and again after it is lost."""

    def __init__(
        self,
        connect: Connect,
        report: Callable[[Status], None],
        back_off_s: tuple[float, ...] = BACK_OFF_S,
    ) -> None:
        self._connect = connect
        self._report = report
        self._back_off_s = back_off_s
        self._greet: Callable[[], None] = lambda: None
        self._client: Client | None = None
        self._attempt: asyncio.Task[None] | None = None
        self._running = 0
        self._failures = 0
        self._next_attempt_s = 0.0
        self.status = Status("starting")

    def wake(self) -> None:
        """Begin to look for an engine, unless there is one, or one is sought, or it is too soon."""
        soon = asyncio.get_running_loop().time() < self._next_attempt_s
        if self._client is None and self._attempt is None and not soon:
            self._set(Status("starting"))
            self._attempt = asyncio.create_task(self._find())

    def whenever_found(self, greet: Callable[[], None]) -> None:
        """Have this done for each engine that is found, and now for one there is."""
        self._greet = greet
        if self._client is not None:
            greet()

    async def infill(self, request: InfillRequest) -> AsyncGenerator[Draft | Suggestion, None]:
        """The engine's drafts; none at all without an engine, which is then looked for.

        Closing this generator closes the engine's stream.
        """
        client = self._client
        if client is None:
            self.wake()
            return
        started_s = asyncio.get_running_loop().time()
        news: dict[str, Any] = {}
        self._running += 1
        self._set(self._with_info("busy"))
        try:
            async with aclosing(client.infill(request)) as drafts:
                async for draft in drafts:
                    if isinstance(draft, Suggestion):
                        last_ms = (asyncio.get_running_loop().time() - started_s) * 1000
                        passes = max(1, draft.timings.forward_passes)
                        news = {
                            "last_ms": round(last_ms, 1),
                            "tokens_per_pass": round(draft.timings.filled_tokens / passes, 2),
                            "unchecked": _UNCHECKED if draft.verdict == "unchecked" else "",
                        }
                        self._failures = 0
                    yield draft
        except EngineUnreachable as error:
            await self._lose(client, error)
        except RequestTooLong as error:
            logger.info("%s", error)
        except EngineError as error:
            news = {"state": "error", "message": str(error)}
        finally:
            self._running -= 1
            if self._client is client:
                status = self._with_info("busy" if self._running else "idle")
                self._set(replace(status, **news))

    async def survey(self, request: SurveyRequest) -> Survey | None:
        """What there is to do in a text; None without an engine, which is then looked for."""
        client = self._client
        if client is None:
            self.wake()
            return None
        try:
            return await client.survey(request)
        except EngineUnreachable as error:
            await self._lose(client, error)
        except EngineError as error:
            logger.warning("%s", error)
        return None

    async def index(self, change: WorkspaceChange) -> int | None:
        """Tell the engine of files; says how many it keeps, None without an engine.

        An engine is not sought for that, and not given up if it fails.
        """
        try:
            return await self._client.index(change) if self._client else None
        except EngineError as error:
            logger.warning("%s", error)
            return None

    async def _find(self) -> None:
        try:
            self._client = await self._connect()
            self._set(self._with_info("idle"))
            self._greet()
        except EngineError as error:
            self._fail(str(error), broken=isinstance(error, CheckpointError))
        except Exception:
            # Nothing waits for this task: unless it is caught here, the editor would see
            # "starting" for ever.
            logger.exception("looking for the engine failed")
            self._fail("The engine could not be started; the language server's log says why.")
        finally:
            self._attempt = None

    async def _lose(self, client: Client, error: EngineUnreachable) -> None:
        """Drop a client whose engine is gone; look for another at once the first time in a row."""
        self._client = None
        self._set(Status("error", message=str(error)))
        if self._failures == 0:
            self.wake()
        self._postpone()
        await client.close()

    def _fail(self, message: str, broken: bool = False) -> None:
        logger.warning("%s", message)
        self._set(Status("error", message=message, broken=broken))
        self._postpone()

    def _postpone(self) -> None:
        pause_s = self._back_off_s[min(self._failures, len(self._back_off_s) - 1)]
        self._next_attempt_s = asyncio.get_running_loop().time() + pause_s
        self._failures += 1

    def _with_info(self, state: State) -> Status:
        if self._client is None:
            return Status(state)
        info = self._client.info
        last = self.status
        return Status(
            state,
            info.model,
            info.device,
            last.last_ms,
            last.tokens_per_pass,
            unchecked=last.unchecked,
        )

    def _set(self, status: Status) -> None:
        self.status = status
        self._report(status)
