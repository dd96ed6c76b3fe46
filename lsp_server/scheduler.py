"""Which request gets the engine: the newest wins, joins what still fits, cancels what does not."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from engine.types import MASK_GLYPH, Draft, InfillRequest, Suggestion
from lsp_server.context import Site
from lsp_server.suggestions import LastSuggestion, typed_since

JOIN_MS = 200
"""A request waits this long for a job begun before its last characters were typed."""
REPLY_MS = 50
"""Kept back from the deadline for the way from the engine to the editor."""

Drafts = AsyncGenerator[Draft | Suggestion, None]
Ask = Callable[[float], InfillRequest | None]
"""Makes the engine's request, given the milliseconds left; None when there is nothing to ask."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one request may wait: before the engine is asked, and in all, milliseconds."""

    debounce_ms: int
    deadline_ms: int


class Job:
    """One stream of drafts, read to its end in a task of its own."""

    def __init__(self, site: Site, drafts: Drafts) -> None:
        self.site = site
        self.known = ""
        """The newest draft up to its first masked place."""
        self.task = asyncio.create_task(self._read(drafts))

    def fits(self, site: Site) -> bool:
        """Whether what was typed since the job began agrees with what it has found so far."""
        typed = typed_since(self.site, site)
        if typed is None:
            return False
        shared = min(len(typed), len(self.known))
        return typed == "" or (shared > 0 and typed[:shared] == self.known[:shared])

    async def _read(self, drafts: Drafts) -> str:
        try:
            async for draft in drafts:
                self.known = draft.text.partition(MASK_GLYPH)[0]
                if isinstance(draft, Suggestion):
                    return draft.text
            return ""
        finally:
            await drafts.aclose()  # a stream left half read is what tells the engine to stop


class Scheduler:
    """At most one job and one waiting request in a session: one user types in one place."""

    def __init__(self, stream: Callable[[InfillRequest], Drafts]) -> None:
        self._stream = stream
        self._last = LastSuggestion()
        self._job: Job | None = None
        self._waiting: asyncio.Task[object] | None = None

    async def fill(self, site: Site, patience: Patience, ask: Ask) -> str:
        """The text to suggest at a site, "" when there is none in time.

        Whatever request still waits is cancelled: its task sees CancelledError. Cancelling the
        newest one, as the client may, stops the engine.
        """
        me = asyncio.current_task()
        self._supersede(me)
        try:
            async with asyncio.timeout(patience.deadline_ms / 1000):
                ready = self._last.remainder(site) or await self._joined(site)
                return ready or await self._asked(site, patience, ask)
        except TimeoutError:
            return ""
        finally:
            if self._waiting is me:
                self._waiting = None
                self._stop()

    def drop(self) -> None:
        """Supersede what waits and stop what runs, for a request that wants nothing itself."""
        self._supersede(None)
        self._stop()

    def _supersede(self, newest: asyncio.Task[object] | None) -> None:
        waiting, self._waiting = self._waiting, newest
        if waiting is not None:
            waiting.cancel()

    async def _joined(self, site: Site) -> str | None:
        """The answer of the running job, if it fits the site now and still does when it is done."""
        job = self._job
        if job is None or not job.fits(site):
            return None
        try:
            async with asyncio.timeout(JOIN_MS / 1000):
                return await self._finished(job, site)
        except TimeoutError:
            return None

    async def _asked(self, site: Site, patience: Patience, ask: Ask) -> str:
        """The answer of a new job, which takes the place of the running one."""
        asked_at_s = asyncio.get_running_loop().time()
        self._stop()
        await asyncio.sleep(patience.debounce_ms / 1000)
        waited_ms = (asyncio.get_running_loop().time() - asked_at_s) * 1000
        request = ask(max(1.0, patience.deadline_ms - waited_ms - REPLY_MS))
        if request is None:
            return ""
        self._job = Job(site, self._stream(request))
        return await self._finished(self._job, site) or ""

    async def _finished(self, job: Job, site: Site) -> str | None:
        fill = await asyncio.shield(job.task)  # the job outlives a request that is superseded
        self._last.remember(job.site, fill)
        return self._last.remainder(site)

    def _stop(self) -> None:
        if self._job is not None:
            self._job.task.cancel()
            self._job = None
