"""Whether, and how much, to suggest at a cursor: decided on its surroundings alone, by no grammar.

The engine judges what it writes with the grammar. What is decided here must cost nothing, because
most of it is decided at every key.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from enum import StrEnum

from lsp_server.context import Site
from lsp_server.indentation import OPENS_A_BLOCK, OPENS_A_LIST
from lsp_server.suggestions import Fill

MAX_REST_CHARACTERS = 8
"""An automatic suggestion goes before so many characters at most, unless they only close things."""
LEAST_CHARACTERS = 4
"""A shorter fill is typed faster than read, and should not take the Tab key."""
ALTERNATIVES = 3
"""Suggestions to choose from when the user asks by hand."""
TOO_ALIKE = 0.9
"""Alternatives more alike than this, as `difflib` counts, are one alternative."""

# What may follow the cursor for a request that nobody made by hand: closing brackets and quotes
# (often put there by the editor), then the end of a clause.
_REST_OF_LINE = re.compile(rb"""[)>}\]"'`]*\s*[:{;,]?""")
_REPEATS = re.compile(r"(?=[^\W\d])(.{3,40}?)\1{3}")
"""Four times the same in a row, beginning with a word: a model that has lost its way."""
_WORD = re.compile(r"\w")
_PLACEHOLDER = re.compile(r"\$\{?\d")


class Silence(StrEnum):
    """Why a request got nothing: a sentence for the status, "" when it got something."""

    NONE = ""
    OFF = "Suggestions are turned off for this file."
    SECRET = "Files of this name are kept from the engine."  # noqa: S105 - not a password
    HUGE = "The file has more lines than max_file_lines allows."
    LONG_LINE = "The line is too long."
    MID_LINE = "There is code behind the cursor."
    SNIPPET = "The selected entry of the menu is a snippet."
    LATE = "No answer came in time."
    NOTHING = "The engine found nothing."
    UNLIKELY = "What was found is too unlikely to be what you want."
    SHORT = "What was found is shorter than typing it."
    REPEATS = "What was found only repeats itself."
    UNDOES = "What was found would undo your last edit."


def reason_against(site: Site) -> Silence:
    """Why an automatic request here is not worth the engine's time; NONE when it is."""
    rest = site.rest.decode().strip()
    if _REST_OF_LINE.fullmatch(rest.encode()):
        return Silence.NONE
    in_a_word = _WORD.match(site.rest.decode()) and _WORD.match(site.before.decode()[-1:])
    return Silence.MID_LINE if in_a_word or len(rest) > MAX_REST_CHARACTERS else Silence.NONE


def is_snippet(selected: str) -> bool:
    """Whether an entry of the menu has places to fill in, so that its text is not what comes."""
    return _PLACEHOLDER.search(selected) is not None


def lines_allowed(site: Site, after_accepted: bool, max_lines: int) -> int:
    """Lines that a fill may have.

    One within a line; several on a blank line, behind what opens a block, and where a suggestion
    has just been accepted, as long as nothing follows on the line.
    """
    if site.rest.strip():
        return 1
    before = site.before
    several = after_accepted or not before.strip() or OPENS_A_BLOCK.search(before) is not None
    return max_lines if several and not OPENS_A_LIST.search(before) else 1


def distinct(fills: Sequence[Fill]) -> tuple[Fill, ...]:
    """The fills, best first, without those that are nearly one before them."""
    kept: list[Fill] = []
    for fill in fills:
        if fill.text.strip() and not any(_alike(fill.text, other.text) for other in kept):
            kept.append(fill)
    return tuple(kept)


def _alike(one: str, other: str) -> bool:
    """Whether a reader would take one for the other: blanks aside, nearly the same characters."""
    bare = ["".join(text.split()) for text in (one, other)]
    matcher = SequenceMatcher(None, *bare, autojunk=False)
    return matcher.quick_ratio() > TOO_ALIKE and matcher.ratio() > TOO_ALIKE


def reason_to_hold_back(
    fill: Fill, removed: str, least_chance: float, closers: str = ""
) -> Silence:
    """Why an automatic suggestion, though found, is not shown; NONE when it is.

    removed       what the user deleted at the cursor just now, "" if the last edit was another
    least_chance  show it only if it is at least this probable, 0 to 1
    closers       are there already: the fill takes their place
    """
    if fill.chance < least_chance:
        return Silence.UNLIKELY
    if len(fill.text.strip()) - len(closers) < LEAST_CHARACTERS:
        return Silence.SHORT
    if _REPEATS.search(fill.text):
        return Silence.REPEATS
    if removed.strip() and fill.text.startswith(removed.strip()):
        return Silence.UNDOES
    return Silence.NONE
