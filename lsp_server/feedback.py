"""What became of the suggestions that were shown, and what that says about the next ones."""

from collections import deque
from collections.abc import Callable

from lsp_server.context import Site
from lsp_server.suggestions import Offer, typed_since

PATIENCE = 3
"""After so many rejections within CALM_S, each on a line of its own, suggestions become rarer."""
CALM_S = 20.0
"""Then it lasts so long, at most, until they are as frequent again."""
CAUTION = 2.0
"""Meanwhile the odds of being right have to be so many times as good."""


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
        self._rejected_s: deque[float] = deque(maxlen=PATIENCE)
        self._rejected_line: tuple[str, int] | None = None

    def observe(self, site: Site) -> bool:
        """Compare a new cursor with what is shown; returns whether that has just been used up."""
        shown = self._shown
        if shown is None or shown.left_at(site) is not None:
            return False
        typed = typed_since(shown.site, site)
        if typed and shown.passed_by(typed, site):
            self._forgive()
        elif typed:
            self._reject(shown)
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
            self._forgive()
            self._count("accepted", characters)

    def least_chance(self, usual: float) -> float:
        """The probability from which a suggestion is shown: `usual`, or more after rejections."""
        patient = len(self._rejected_s) < PATIENCE
        if patient or self._clock() - self._rejected_s[0] > CALM_S:
            return usual
        return CAUTION * usual / (1 + (CAUTION - 1) * usual)

    def _reject(self, offer: Offer) -> None:
        """The user typed something else; further suggestions on the same line are no further news.

        What was taken and then changed has been of use.
        """
        if offer.number <= self._accepted:
            return
        self._count("rejected", 0)
        line = offer.site.uri, offer.site.cursor.line
        if line != self._rejected_line:
            self._rejected_line = line
            self._rejected_s.append(self._clock())

    def _forgive(self) -> None:
        self._rejected_s.clear()
        self._rejected_line = None
