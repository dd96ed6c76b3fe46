"""Holes filled: the one at the cursor, or all of a file at once."""

from collections.abc import Sequence

from engine.types import Hole, InfillRequest, Span
from lsp_server.actions.desk import Desk, Plan, drafted
from lsp_server.actions.page import Change, Declined

SECOND_LOOK = 0.4
"""Share of a fill that is written anew once the other fills are known."""
MAX_HOLES = 64


async def fill_hole(desk: Desk) -> Plan:
    """Fill the hole at the cursor, or the one on its line."""
    found = await desk.survey(desk.about(desk.page.text))
    hole = nearest(found.holes, desk)
    if hole is None:
        raise Declined("There is no hole here: no placeholder, no empty body and no marker.")
    suggestion = await desk.infill(_request(desk, [hole], [b""], 0))
    change = _change(hole, suggestion.text.encode())
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
    first = await _round(desk, empty, f"Filling {count}", 0)
    again = [
        drafted(_request(desk, holes, first, at), first[at], SECOND_LOOK) for at in _all(holes)
    ]
    found = await _round(desk, again, "Looking again", 50)
    second = [new or old for new, old in zip(found, first, strict=True)]
    plans = [
        [change for hole, fill in zip(holes, fills, strict=True) if (change := _change(hole, fill))]
        for fills in (second, first)
    ]
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
) -> list[bytes]:
    """All requests at once, for one half of the progress."""
    half = 50 / len(requests)
    desk.report(title, percentage)
    found = await desk.infill_all(
        requests, lambda count: desk.report(title, percentage + round(half * count))
    )
    return [suggestion.text.encode() for suggestion in found]


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
    return desk.hole(whole, Span(start, start), holes[at].max_lines)


def _change(hole: Hole, fill: bytes) -> Change | None:
    if not fill.strip():
        return None
    return Change(hole.span.start, hole.span.end, hole.lead + fill + hole.trail)
