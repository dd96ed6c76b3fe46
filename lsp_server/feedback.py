"""What became of the suggestions that were shown, and what that says about the next ones."""

from collections.abc import Callable

from lsp_server.context import Site
from lsp_server.suggestions import Offer, typed_since

PATIENCE = 3
"""So many rejections in a row before suggestions become rarer."""
CAUTION = 0.8
"""From then on, the chance of being wrong that is put up with shrinks by this at each rejection."""
FORGET_S = 60.0
"""Rejections are forgotten when there has been none for so long."""


class Feedback:
    """Follows the newest suggestion shown: is it typed along, accepted or typed against?

    clock   seconds, from any start
    count   is told "shown", "accepted" or "rejected", once each, and the characters accepted
    """

    def __init__(self, clock: Callable[[], float], count: Callable[[str, int], None]) -> None:
        self._clock = clock
        self._count = count
        self._shown: Offer | None = None
        self._accepted = 0
        self._rejections = 0
        self._rejected_at_s = 0.0

    def observe(self, site: Site) -> bool:
        """Compare a new cursor with what is shown; returns whether that has just been used up."""
        shown = self._shown
        if shown is None or shown.left_at(site) is not None:
            return False
        typed = typed_since(shown.site, site)
        if typed and any(typed.startswith(fill.text) for fill in shown.fills):
            self._rejections = 0
        elif typed:
            self._reject(shown.number)
            self._shown = None
        return shown.used_up_at(site)

    def shows(self, offer: Offer) -> bool:
        """Whether this offer, or what is left of it, is what the user has before them."""
        return self._shown is not None and self._shown.number == offer.number

    def show(self, offer: Offer) -> None:
        """An offer goes to the editor."""
        if not self.shows(offer):
            self._shown = offer
            self._count("shown", 0)

    def accept(self, number: int, characters: int) -> None:
        """The user took a suggestion, by the editor's word; once counts."""
        if number > self._accepted:
            self._accepted = number
            self._rejections = 0
            self._count("accepted", characters)

    def least_chance(self, usual: float) -> float:
        """The probability from which a suggestion is shown: `usual`, or more after rejections."""
        if self._clock() - self._rejected_at_s > FORGET_S:
            self._rejections = 0
        beyond = max(0, self._rejections - PATIENCE + 1)
        return 1 - (1 - usual) * CAUTION**beyond

    def _reject(self, number: int) -> None:
        if number > self._accepted:
            self._rejections += 1
            self._rejected_at_s = self._clock()
            self._count("rejected", 0)
