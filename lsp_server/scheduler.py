"""Which request gets the engine: the newest wins, joins what still fits, cancels what does not."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import count

from engine.types import MASK_GLYPH, Draft, InfillRequest, Suggestion
from lsp_server.context import Site
from lsp_server.suggestions import Fill, Offer, RecentOffers, typed_since

JOIN_MS = 200
"""A request waits this long for a job begun before its last characters were typed."""
REPLY_MS = 50
"""Kept back from the deadline for the way from the engine to the editor."""

Drafts = AsyncGenerator[Draft | Suggestion, None]
Watch = Callable[[Site, Draft | Suggestion], None]
"""Is told of every draft, and of the suggestion, with the site they are made for."""

logger = logging.getLogger(__name__)

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Order:
    """One wish for suggestions.

    site          where
    alternatives  how many to choose from
    debounce_ms   wait for a pause in typing, before the engine is asked
    deadline_ms   wait in all
    request       makes the engine's request, given the milliseconds left; None when there is
                  nothing to ask
    lead          blanks that the request has in front of its hole and the document has not: what
                  is found begins with them
    worth         whether what is left of an earlier offer may be the answer
    """

    site: Site
    alternatives: int
    debounce_ms: float
    deadline_ms: float
    request: Callable[[float], InfillRequest | None]
    lead: str = ""
    worth: Callable[[Offer], bool] = lambda _: True


class Job:
    """One stream of drafts, read to its end in a task of its own, whose result is an offer."""

    def __init__(
        self, order: Order, drafts: Drafts, keep: Callable[[Offer], None], watch: Watch
    ) -> None:
        self.site = order.site
        self.alternatives = order.alternatives
        self.known = ""
        """The newest draft up to its first masked place."""
        self.task = asyncio.create_task(self._read(drafts, keep, watch))

    def fits(self, site: Site) -> bool:
        """Whether what was typed since the job began agrees with what it has found so far."""
        typed = typed_since(self.site, site)
        if typed is None:
            return False
        shared = min(len(typed), len(self.known))
        return typed == "" or (shared > 0 and typed[:shared] == self.known[:shared])

    async def _read(self, drafts: Drafts, keep: Callable[[Offer], None], watch: Watch) -> Offer:
        fills: tuple[Fill, ...] = ()
        try:
            async for draft in drafts:
                self.known = draft.text.partition(MASK_GLYPH)[0]
                watch(self.site, draft)
                if isinstance(draft, Suggestion):
                    every = (draft, *draft.others, *draft.heads)
                    closers = self.site.closers.decode()
                    found = (each for each in every if each.text)
                    fills = tuple(Fill(each.text + closers, each.score_nats) for each in found)
                    break
        except Exception:
            logger.exception("a job failed")
        finally:
            await drafts.aclose()  # a stream left half read is what tells the engine to stop
        offer = Offer(next(_numbers), self.site, self.alternatives, fills)
        if fills:
            keep(offer)
        return offer


class Scheduler:
    """At most one job and one waiting request in one document: a user types in one place."""

    def __init__(self, stream: Callable[[InfillRequest], Drafts], watch: Watch) -> None:
        self.recent = RecentOffers()
        self._stream = stream
        self._watch = watch
        self._job: Job | None = None
        self._waiting: asyncio.Task[object] | None = None

    async def fill(self, order: Order) -> Offer | None:
        """What to suggest: an offer, one without fills when there is nothing, None when late.

        Whatever request still waits is cancelled: its task sees CancelledError. Cancelling the
        newest one, as the client may, stops the engine.
        """
        me = asyncio.current_task()
        self._supersede(me)
        try:
            async with asyncio.timeout(order.deadline_ms / 1000):
                left = self.recent.left_at(order.site, order.alternatives, order.worth)
                return left or await self._joined(order) or await self._asked(order)
        except TimeoutError:
            self._stop()
            return None
        except asyncio.CancelledError:
            if self._waiting is me:
                self._stop()
            raise
        finally:
            if self._waiting is me:
                self._waiting = None

    def foresee(self, order: Order) -> None:
        """Compute what may be asked for next, unless the engine has something better to do."""
        idle = self._waiting is None and self._job is None
        if idle and self.recent.left_at(order.site, order.alternatives) is None:
            self._start(order, order.deadline_ms)

    def drop(self) -> None:
        """Supersede what waits and stop what runs, for a request that wants nothing itself."""
        self._supersede(None)
        self._stop()

    @property
    def tasks(self) -> list[asyncio.Task[object]]:
        """What is under way here, for whoever wants to see that nothing was left behind."""
        own = [self._waiting, self._job.task if self._job else None]
        return [task for task in own if task is not None and not task.done()]

    def _supersede(self, newest: asyncio.Task[object] | None) -> None:
        waiting, self._waiting = self._waiting, newest
        if waiting is not None:
            waiting.cancel()

    async def _joined(self, order: Order) -> Offer | None:
        """The answer of the running job, if it fits the site now and still does when it is done."""
        job = self._job
        if job is None or job.alternatives < order.alternatives or not job.fits(order.site):
            return None
        try:
            async with asyncio.timeout(JOIN_MS / 1000):
                offer = await asyncio.shield(job.task)
        except TimeoutError:
            return None
        left = self.recent.left_at(order.site, order.alternatives, order.worth)
        return left or (offer if offer.site == order.site else None)

    async def _asked(self, order: Order) -> Offer | None:
        """The answer of a new job, which takes the place of the running one."""
        asked_at_s = asyncio.get_running_loop().time()
        self._stop()
        await asyncio.sleep(order.debounce_ms / 1000)
        waited_ms = (asyncio.get_running_loop().time() - asked_at_s) * 1000
        job = self._start(order, order.deadline_ms - waited_ms)
        if job is None:
            return None
        return await asyncio.shield(job.task)  # the job outlives a request that is superseded

    def _start(self, order: Order, left_ms: float) -> Job | None:
        request = order.request(max(1.0, left_ms - REPLY_MS))
        if request is None:
            return None
        drafts = self._stream(request)
        if order.lead:
            drafts = _led(order.lead, drafts)
        self._job = Job(order, drafts, self.recent.remember, self._watch)
        self._job.task.add_done_callback(self._forget)
        return self._job

    def _forget(self, task: asyncio.Task[Offer]) -> None:
        if self._job is not None and self._job.task is task:
            self._job = None

    def _stop(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.task.cancel()


async def _led(lead: str, drafts: Drafts) -> Drafts:
    """The drafts with `lead` in front; where there is no text, there is still none."""
    async with aclosing(drafts):
        async for draft in drafts:
            led = replace(draft, text=draft.text and lead + draft.text)
            if isinstance(led, Suggestion):
                others = (replace(each, text=lead + each.text) for each in led.others if each.text)
                heads = (replace(each, text=lead + each.text) for each in led.heads)
                led = replace(led, others=tuple(others), heads=tuple(heads))
            yield led
