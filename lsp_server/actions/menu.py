"""Which actions to offer at a place: decided without the model, and mostly without the engine.

Editors ask after every move of the cursor, so the grammar is consulted only where the user opened
the menu, or where the lines at the cursor look as if there were something to do.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.types import Hole, Span, Survey
from lsp_server.actions.desk import Strength
from lsp_server.actions.history import Edit
from lsp_server.actions.next_edit import can_continue, places
from lsp_server.actions.page import Page

FILL_ALL = "source.fillAll.sfumato"
REWRITE = "refactor.rewrite.sfumato"
QUICK_FIX = "quickfix.sfumato"
KINDS = (QUICK_FIX, REWRITE, FILL_ALL)

WIDE_BYTES = 400
"""A fault of more bytes is offered to be mended on its first line alone."""

_LEFT_FOR_LATER = re.compile(
    rb"\.\.\.|\b(?:TODO|FIXME|todo!|unimplemented|NotImplemented\w*)|(?i:not (?:yet )?implemented)"
    rb"|\{\s*\}"
)
_STRENGTHS: tuple[Strength, ...] = ("light", "medium", "full")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu: `command` at the region, with the strength where it takes one."""

    title: str
    kind: str
    command: str
    strength: Strength | None = None


def looks_unfinished(page: Page, region: Span, marker: bytes) -> bool:
    """Whether the region's lines hold what may be a hole."""
    lines = page.lines_of(region)
    end = page.text.find(b"\n", lines.end + 1)  # the brace of an empty body may stand below
    text = page.text[lines.start : len(page.text) if end < 0 else end]
    return _LEFT_FOR_LATER.search(text) is not None or bool(marker and marker in text)


def is_at_edit(page: Page, region: Span, edit: Edit) -> bool:
    """Whether the cursor is where the edit was made."""
    return page.place(region.start).line in range(edit.first, edit.last + 1)


def after_edit(
    page: Page, edit: Edit, earlier: Sequence[Edit], uses: frozenset[int] | None
) -> Iterator[Entry]:
    """How the last edit may be carried on; `uses` as `next_edit.places` takes them."""
    if can_continue(page, edit):
        yield Entry("Continue this pattern", REWRITE, "sfumato.continuePattern")
    count = len(places(page, edit, earlier, uses))
    if count:
        where = "in one other place" if count == 1 else f"in {count} other places"
        yield Entry(f"Repeat the last edit {where}", REWRITE, "sfumato.repeatEdit")


def entries(page: Page, region: Span, survey: Survey) -> Iterator[Entry]:
    """What there is to do, the likeliest first."""
    lines = page.lines_of(region)
    if any(_is_at(fault, lines) for fault in survey.faults):
        yield Entry("Repair syntax here", QUICK_FIX, "sfumato.repair")
    if any(_touches(hole, lines) for hole in survey.holes):
        yield Entry("Fill this hole", QUICK_FIX, "sfumato.fillHole")
    if page.text[region.start : region.end].strip():
        for strength in _STRENGTHS:
            title = f"Rewrite selection ({strength})"
            yield Entry(title, REWRITE, "sfumato.rewrite", strength)
    kinds = {shape.kind for shape in survey.shapes}
    if "arguments" in kinds:
        yield Entry("Complete this call's arguments", REWRITE, "sfumato.completeArguments")
    if "docstring" in kinds:
        yield Entry("Write the docstring", REWRITE, "sfumato.writeDocstring")
    if survey.holes:
        yield Entry("Fill all holes in this file", FILL_ALL, "sfumato.fillAllHoles")


def _touches(hole: Hole, lines: Span) -> bool:
    return hole.span.start <= lines.end and hole.span.end >= lines.start


def _is_at(fault: Span, lines: Span) -> bool:
    if fault.end - fault.start > WIDE_BYTES:
        return lines.start <= fault.start <= lines.end
    return fault.start <= lines.end and fault.end >= lines.start
