"""The last suggestion, less what has been typed of it since: an answer that needs no engine."""

from lsp_server.context import Site
from lsp_server.positions import between, splice


def typed_since(earlier: Site, now: Site) -> str | None:
    """What was typed at `earlier`'s cursor to get to `now`; line ends as \\n.

    "" when nothing changed; None when anything else happened: another document, an edit elsewhere,
    a deletion, a cursor that moved away. It costs one pass over the lines, most of them shared.
    """
    if earlier.uri != now.uri or now.cursor < earlier.cursor:
        return None
    typed = between(now.lines, earlier.cursor, now.cursor)
    if splice(earlier.lines, earlier.cursor, earlier.cursor, typed) != now.lines:
        return None
    return typed.decode().replace("\r\n", "\n").replace("\r", "\n")


class LastSuggestion:
    """Remembers one fill and where it belongs."""

    def __init__(self) -> None:
        self._site: Site | None = None
        self._fill = ""

    def remember(self, site: Site, fill: str) -> None:
        """Keep a fill made for a site; it replaces the one before."""
        self._site, self._fill = site, fill

    def remainder(self, site: Site) -> str | None:
        """What is left of the fill at `site`; None when it does not fit there or is used up."""
        typed = typed_since(self._site, site) if self._site is not None else None
        if typed is None or not self._fill.startswith(typed):
            return None
        return self._fill[len(typed) :] or None
