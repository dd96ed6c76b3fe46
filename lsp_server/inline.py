"""Inline completion, put together: policy, scheduler, memory and feedback.

asked -> reason against? -> what is left of an offer, a job joined, or the engine
      -> likely enough? -> shown, and what would follow it foreseen
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from engine.types import InfillRequest
from lsp_server import policy
from lsp_server.context import Site, build_request, is_too_wide
from lsp_server.feedback import Feedback
from lsp_server.indentation import missing_indentation
from lsp_server.policy import Silence
from lsp_server.scheduler import Drafts, Order, Scheduler, Watch
from lsp_server.settings import Settings
from lsp_server.suggestions import Fill, Offer, adds_to, inside

STALE_STRENGTH = 0.3
"""Share written anew of what is left of a suggestion that the user typed against."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an editor asks for.

    site      where
    settings  of that document
    invoked   by hand, which waits for nothing and may go anywhere, or at a key
    removed   what the user deleted at the cursor just now, "" if the last edit was another
    selected  text of the menu's selected entry, which the site has already in place
    """

    site: Site
    settings: Settings
    invoked: bool
    removed: str
    selected: str
    debounce_ms: float


class Suggester:
    """Suggestions for the open documents of one session."""

    def __init__(
        self,
        stream: Callable[[InfillRequest], Drafts],
        watch: Watch,
        count: Callable[[str, int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.feedback = Feedback(clock, count)
        self._stream = stream
        self._watch = watch
        self._schedulers: dict[str, Scheduler] = {}

    @property
    def schedulers(self) -> list[Scheduler]:
        """One for each document in which something was asked for, until it is closed."""
        return list(self._schedulers.values())

    async def suggest(self, wish: Wish) -> Offer | Silence:
        """What to show, several alternatives if invoked, or why nothing.

        A newer request for the same document cancels the task that waits here.
        """
        scheduler = self._scheduler(wish.site.uri)
        accepted = self.feedback.observe(wish.site)
        against = _reason_against(wish)
        if against:
            scheduler.drop()
            return against
        stale = "" if wish.invoked else scheduler.recent.rejoined_at(wish.site)
        order = replace(_order(wish, accepted, stale), worth=partial(self._is_worth, wish))
        offer = await scheduler.fill(order)
        if offer is None:
            return Silence.LATE
        return self._judged(offer, wish)

    def close(self, uri: str) -> None:
        """Supersede and stop what a document still has under way, and forget it."""
        scheduler = self._schedulers.pop(uri, None)
        if scheduler is not None:
            scheduler.drop()

    def drop(self) -> None:
        """Supersede and stop everything."""
        for scheduler in self._schedulers.values():
            scheduler.drop()

    def _scheduler(self, uri: str) -> Scheduler:
        if uri not in self._schedulers:
            self._schedulers[uri] = Scheduler(self._stream, self._watch)
        return self._schedulers[uri]

    def _judged(self, offer: Offer, wish: Wish) -> Offer | Silence:
        """What of the offer is shown: all of it, or the longest head that is likely enough.

        What is on the screen stays there while it fits.
        """
        if self.feedback.shows(offer):
            return offer
        fills = policy.distinct(offer.fills)
        if not fills:
            return Silence.NOTHING
        against = [Silence.NONE if wish.invoked else self._against(fill, wish) for fill in fills]
        shown = [fill for fill, reason in zip(fills, against, strict=True) if not reason]
        if not shown:
            return against[0]
        offer = replace(offer, fills=tuple(shown[: policy.ALTERNATIVES if wish.invoked else 1]))
        self._scheduler(wish.site.uri).recent.remember(offer)
        self.feedback.show(offer)
        self._foresee(offer, wish)
        return offer

    def _against(self, fill: Fill, wish: Wish) -> Silence:
        """Why a fill is not shown of itself."""
        least_chance, closers = self._least_chance(wish), wish.site.closers.decode()
        return policy.reason_to_hold_back(fill, wish.removed, least_chance, closers)

    def _is_worth(self, wish: Wish, left: Offer) -> bool:
        """Whether what is left of an offer is shown already, or likely enough to be."""
        likely = left.fills[0].chance >= self._least_chance(wish)
        return likely or wish.invoked or self.feedback.shows(left)

    def _least_chance(self, wish: Wish) -> float:
        return self.feedback.least_chance(wish.settings.min_chance_percent / 100)

    def _foresee(self, offer: Offer, wish: Wish) -> None:
        """Have the engine begin with what follows once the suggestion is accepted."""
        site = wish.site
        newline = b"\r\n" if site.lines[0].endswith(b"\r\n") else b"\n"
        fill = offer.fills[0].text.encode().replace(b"\n", newline)
        after = site.replaced(site.cursor, site.behind_closers, fill)
        order = _order(replace(wish, site=after, invoked=False, selected=""), after_accepted=True)
        self._scheduler(site.uri).foresee(order)


def _reason_against(wish: Wish) -> Silence:
    """Why not even the engine is asked; NONE when it is."""
    site, settings = wish.site, wish.settings
    if not settings.allows(site.uri, site.language):
        return Silence.OFF
    if settings.keeps_secret(site.uri):
        return Silence.SECRET
    if len(site.lines) > settings.max_file_lines:
        return Silence.HUGE
    if is_too_wide(site):
        return Silence.LONG_LINE
    if policy.is_snippet(wish.selected):
        return Silence.SNIPPET
    return Silence.NONE if wish.invoked else policy.reason_against(site)


def _order(wish: Wish, after_accepted: bool, stale: str = "") -> Order:
    """The wish as the scheduler takes it; `stale` is text that may still be wanted there."""
    max_lines = policy.lines_allowed(wish.site, after_accepted, wish.settings.max_lines)
    alternatives = policy.ALTERNATIVES if wish.invoked else 1
    lead = missing_indentation(wish.site)
    site = wish.site.replaced(wish.site.cursor, wish.site.cursor, lead) if lead else wish.site

    def request(budget_ms: float) -> InfillRequest | None:
        found = build_request(site, max_lines, budget_ms)
        if found is None:
            return None
        if stale.strip() and adds_to(site, stale) and stale.count("\n") < max_lines:
            draft = inside(site, stale).encode()
            return replace(found, draft=draft, strength=STALE_STRENGTH)
        return replace(found, alternatives=alternatives)

    return Order(
        wish.site,
        alternatives,
        debounce_ms=0 if wish.invoked else wish.debounce_ms,
        deadline_ms=wish.settings.deadline_ms,
        request=request,
        lead=lead.decode(),
    )
