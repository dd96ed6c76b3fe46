"""Holes filled: the one at the cursor, or all of a file at once."""

import re
from collections.abc import Sequence
from dataclasses import replace

from engine.types import Hole, InfillRequest, Span, Suggestion
from lsp_server.actions.desk import Desk, Plan, drafted
from lsp_server.actions.page import Change, Declined, changed

_BRACKETS = re.compile(rb"[()\[\]{}]")

SECOND_LOOK = 0.4
"""Share of a fill that is written anew once the other fills are known."""
MAX_HOLES = 64
ALTERNATIVES = 4
"""To choose from where the likeliest fill leaves the work for later again."""


async def fill_hole(desk: Desk) -> Plan:
    """Fill the hole at the cursor, or the one on its line."""
    found = await desk.survey(desk.about(desk.page.text))
    hole = nearest(found.holes, desk)
    if hole is None:
        raise Declined("There is no hole here: no placeholder, no empty body and no marker.")
    answer = await desk.infill(_request(desk, [hole], [b""], 0))
    (fill,) = await _finished(desk, [hole], [answer])
    change = _change(hole, fill)
    if change is None:
        raise Declined("The engine found nothing that fits into this hole.")
    return Plan("Fill this hole", desk.page, await desk.sound([change]))


async def fill_all(desk: Desk) -> Plan:
    """Fill all holes of the file, twice: the second time each sees what the others became."""
    holes = (await desk.survey(desk.about(desk.page.text))).holes[:MAX_HOLES]
    if not holes:
        raise Declined("There is no hole in this file: no placeholder, empty body or marker.")
    count = f"{len(holes)} holes" if len(holes) > 1 else "one hole"
    empty = [_request(desk, holes, [None] * len(holes), at) for at in _all(holes)]
    first = await _finished(desk, holes, await _round(desk, empty, f"Filling {count}", 0))
    again = [
        drafted(_request(desk, holes, first, at), first[at], SECOND_LOOK) for at in _all(holes)
    ]
    found = await _finished(desk, holes, await _round(desk, again, "Looking again", 50))
    second = [new or old for new, old in zip(found, first, strict=True)]
    plans = [_changes(holes, fills) for fills in (second, first)]
    if not plans[-1]:
        raise Declined("The engine found nothing that fits into these holes.")
    return Plan(f"Fill {count}", desk.page, await desk.sound(*plans))


def nearest(holes: Sequence[Hole], desk: Desk) -> Hole | None:
    """The hole that the region touches, or else the first on its lines."""
    for reach in (desk.region, desk.page.lines_of(desk.region)):
        for hole in holes:
            if hole.span.start <= reach.end and hole.span.end >= reach.start:
                return hole
    return None


def _all(holes: Sequence[Hole]) -> range:
    return range(len(holes))


async def _round(
    desk: Desk, requests: Sequence[InfillRequest], title: str, percentage: int
) -> list[Suggestion]:
    """All requests at once, for one half of the progress."""
    half = 50 / len(requests)
    desk.report(title, percentage)
    return await desk.infill_all(
        requests, lambda count: desk.report(title, percentage + round(half * count))
    )


async def _finished(
    desk: Desk, holes: Sequence[Hole], answers: Sequence[Suggestion]
) -> list[bytes]:
    """Of each answer the likeliest text that stays inside and is no hole again; else none."""
    texts = [
        [*filter(_stays_inside, (each.text.encode() for each in (one, *one.others))), b""]
        for one in answers
    ]
    while True:
        fills = [each[0] for each in texts]
        unfinished = await _unfinished(desk, holes, fills)
        if not unfinished:
            return fills
        for at in unfinished:
            del texts[at][0]


def _stays_inside(fill: bytes) -> bool:
    """Whether a fill closes no bracket that was open before it, and so leaves its body."""
    depth = 0
    for bracket in _BRACKETS.findall(fill):
        depth += 1 if bracket in b"([{" else -1
        if depth < 0:
            return False
    return True


async def _unfinished(desk: Desk, holes: Sequence[Hole], fills: Sequence[bytes]) -> list[int]:
    """Which of the fills have a hole in them: `pass  # TODO` is no answer to `...`."""
    changes = _changes(holes, fills)
    if not changes:
        return []
    left = (await desk.survey(desk.about(changed(desk.page.text, changes)))).holes
    longer, found = 0, list[int]()
    for at, (hole, fill) in enumerate(zip(holes, fills, strict=True)):
        change = _change(hole, fill)
        if change is None:
            continue
        start, end = change.start + longer, change.start + longer + len(change.text)
        if any(start <= one.span.start and one.span.end <= end for one in left):
            found.append(at)
        longer += len(change.text) - (change.end - change.start)
    return found


def _request(
    desk: Desk, holes: Sequence[Hole], fills: Sequence[bytes | None], at: int
) -> InfillRequest:
    """Fill hole `at`, with the other holes filled so, or left as they are where None or empty."""
    text, pieces, done, start = desk.page.text, list[bytes](), 0, 0
    for index, (hole, fill) in enumerate(zip(holes, fills, strict=True)):
        pieces.append(text[done : hole.span.start])
        if index == at:
            start = sum(map(len, pieces)) + len(hole.lead)
            pieces.append(hole.lead + hole.trail)
        elif fill:
            pieces.append(hole.lead + fill + hole.trail)
        else:
            pieces.append(text[hole.span.start : hole.span.end])
        done = hole.span.end
    whole = b"".join([*pieces, text[done:]])
    request = desk.hole(whole, Span(start, start), holes[at].max_lines)
    return replace(request, alternatives=ALTERNATIVES)


def _changes(holes: Sequence[Hole], fills: Sequence[bytes]) -> list[Change]:
    return [change for one in zip(holes, fills, strict=True) if (change := _change(*one))]


def _change(hole: Hole, fill: bytes) -> Change | None:
    if not fill.strip():
        return None
    return Change(hole.span.start, hole.span.end, hole.lead + fill + hole.trail)
