"""Repair: the few tokens in and near a fault are written anew, every other byte stays."""

from dataclasses import replace

from engine.types import Remedy, Span
from lsp_server.actions.desk import Desk, Plan, drafted
from lsp_server.actions.page import Change, Declined, changed, narrowed

LABEL = "Repair syntax here"
STRENGTHS = (0.2, 0.4, 0.7, 1.0)
"""Shares of the tokens around the fault that are written anew, one after the other."""
ALTERNATIVES = 4


async def repair(desk: Desk) -> Plan:
    """Mend the fault that the region is nearest to.

    By what is plainly missing; else by what the engine would put between two tokens there; else the
    tokens themselves are written anew.
    """
    text = desk.page.text
    found = await desk.survey(replace(desk.about(text), region=desk.region))
    if not found.remedies:
        raise Declined("There is no syntax error here.")
    remedy, faults = found.remedies[0], len(found.faults)
    hole = remedy.hole
    if remedy.tries:
        change = narrowed(text, Change(hole.start, hole.end, remedy.tries[0]))
    else:
        change = await _inserted(desk, remedy, faults) or await _mended(desk, remedy, faults)
    return Plan(LABEL, desk.page, (change,))


async def _inserted(desk: Desk, remedy: Remedy, faults: int) -> Change | None:
    """What the engine finds likeliest to be missing, of all that leaves fewer faults."""
    desk.report("Looking for what is missing", 0)
    text, holes = desk.page.text, [Span(gap, gap) for gap in remedy.gaps]
    requests = [replace(desk.hole(text, hole, 1), alternatives=ALTERNATIVES) for hole in holes]
    answers = await desk.infill_all(requests)
    likeliest = sorted(
        (-one.score_nats, hole.start, one.text)
        for hole, answer in zip(holes, answers, strict=True)
        for one in (answer, *answer.others)
    )
    for _, gap, missing in likeliest:
        change = Change(gap, gap, missing.encode())
        if missing and await _mends(desk, change, faults):
            return change
    return None


async def _mended(desk: Desk, remedy: Remedy, faults: int) -> Change:
    """The first text for the hole that leaves fewer faults. Raises Declined without one."""
    text, hole = desk.page.text, remedy.hole
    old = text[hole.start : hole.end]
    for step, strength in enumerate(STRENGTHS, 1):
        desk.report("Mending", 100 * step // (len(STRENGTHS) + 1))
        request = drafted(desk.hole(text, hole, old.count(b"\n") + 1), old, strength)
        answer = await desk.infill(replace(request, alternatives=ALTERNATIVES))
        for fill in (answer.text, *(other.text for other in answer.others)):
            change = Change(hole.start, hole.end, fill.encode())
            if fill and await _mends(desk, change, faults):
                return narrowed(text, change)
    raise Declined("No repair was found for the syntax error here.")


async def _mends(desk: Desk, change: Change, faults: int) -> bool:
    after = changed(desk.page.text, [change])
    return len((await desk.survey(desk.about(after))).faults) < faults
