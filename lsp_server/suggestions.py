"""What the engine found lately, less what has been typed of it since: answers without an engine."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from lsp_server.context import Site
from lsp_server.positions import between, splice

KEPT = 4
"""Offers remembered: what is shown, what would follow it, and a step back."""


@dataclass(frozen=True, slots=True)
class Fill:
    """One text for the cursor, and the log-probability that it is what the user wants.

    It has the closers behind the cursor in it and takes their place: so it still fits when the
    editor has closed what is opened while it is typed along, or the user has typed over that.
    """

    text: str
    score_nats: float

    @property
    def chance(self) -> float:
        """The same as a probability, 0 to 1."""
        return math.exp(min(0.0, self.score_nats))


@dataclass(frozen=True, slots=True)
class Offer:
    """The engine's answer at one site: fills, best first, none if it found nothing.

    Where one was asked for, heads of it that are likelier come behind it, the longest first.

    number        tells offers apart; what is left of an offer after typing keeps its number
    alternatives  how many fills were asked for
    """

    number: int
    site: Site
    alternatives: int
    fills: tuple[Fill, ...]

    def left_at(self, site: Site) -> "Offer | None":
        """What is left of it, an offer for `site`; None if it does not fit or nothing is left."""
        typed = typed_since(self.site, site)
        if typed is None:
            return None
        begun = [fill for fill in self.fills if fill.text.startswith(typed)]
        left = (replace(fill, text=fill.text[len(typed) :]) for fill in begun)
        fills = tuple(fill for fill in left if adds_to(site, fill.text))
        return replace(self, site=site, fills=fills) if fills else None

    def rejoined_at(self, site: Site) -> str:
        """What of its best fill may still be wanted though the user typed against it; else "".

        The two meet again behind a mark that both have, as often: of "total(a, b)", "sum(" leaves
        "a, b)". A word begun is left to be finished otherwise.
        """
        typed = typed_since(self.site, site)
        if not typed or any(fill.text.startswith(typed) for fill in self.fills):
            return ""
        mark = typed[-1]
        if mark.isalnum() or mark == "_" or mark.isspace():
            return ""
        pieces = self.fills[0].text.split(mark, typed.count(mark))
        return pieces[-1] if len(pieces) > typed.count(mark) else ""

    def used_up_at(self, site: Site) -> bool:
        """Whether one of its fills has been taken, or typed, to its end."""
        typed = typed_since(self.site, site)
        return typed is not None and typed + site.closers.decode() in self.texts

    def passed_by(self, typed: str, site: Site) -> bool:
        """Whether what was typed to get to a site has one of its fills in it, to the end."""
        return (typed + site.closers.decode()).startswith(self.texts)

    @property
    def texts(self) -> tuple[str, ...]:
        """Those of its fills."""
        return tuple(fill.text for fill in self.fills)


def typed_since(earlier: Site, now: Site) -> str | None:
    """What was typed at `earlier`'s cursor to get to `now`; line ends as \\n.

    "" when nothing changed; None when anything else happened: another document, an edit elsewhere,
    a deletion, a cursor that moved away. Closers behind the cursor come and go with what is typed,
    by the editor's hand. It costs one pass over the lines, most of them shared, where there are as
    many more as the cursor went down; else nothing.
    """
    if earlier.uri != now.uri or now.cursor < earlier.cursor:
        return None
    if len(now.lines) - len(earlier.lines) != now.cursor.line - earlier.cursor.line:
        return None
    typed = between(now.lines, earlier.cursor, now.cursor)
    kept = now.closers if earlier.rest == earlier.closers else b""
    if splice(earlier.lines, earlier.cursor, earlier.behind_closers, typed + kept) != now.lines:
        return None
    return typed.decode().replace("\r\n", "\n").replace("\r", "\n")


def adds_to(site: Site, text: str) -> bool:
    """Whether a text for the place of the closers behind the cursor has them in it, and more."""
    closers, marks = site.closers.decode(), iter(text)
    return text != closers and all(closer in marks for closer in closers)


def inside(site: Site, text: str) -> str:
    """What of such a text goes in front of the closers; all of it where it has them not yet."""
    if not adds_to(site, text):
        return text
    for closer in reversed(site.closers.decode()):
        text = text.rpartition(closer)[0]
    return text


class RecentOffers:
    """The last few offers in one document, the newest first."""

    def __init__(self) -> None:
        self._offers: deque[Offer] = deque(maxlen=KEPT)

    def remember(self, offer: Offer) -> None:
        """Keep an offer, in the place of the one of its number; the oldest goes."""
        for other in [other for other in self._offers if other.number == offer.number]:
            self._offers.remove(other)
        self._offers.appendleft(offer)

    def left_at(
        self, site: Site, alternatives: int, worth: Callable[[Offer], bool] = lambda _: True
    ) -> Offer | None:
        """What is left at `site` of an offer that holds as many alternatives as are wanted.

        One made for an earlier place has to be worth showing: what has been typed since speaks for
        it, which only a new answer says.
        """
        for offer in self._offers:
            left = offer.left_at(site) if offer.alternatives >= alternatives else None
            if left is not None and (offer.site == site or worth(left)):
                return left
        return None

    def rejoined_at(self, site: Site) -> str:
        """What of the newest offer that the user typed against may still be wanted."""
        return next(filter(None, (offer.rejoined_at(site) for offer in self._offers)), "")
