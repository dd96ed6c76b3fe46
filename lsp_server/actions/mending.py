"""Repair: the few tokens in and near a fault are written anew, every other byte stays."""

from dataclasses import replace

from engine.types import Remedy
from lsp_server.actions.desk import Desk, Plan, drafted
from lsp_server.actions.page import Change, Declined, changed, narrowed

LABEL = "Repair syntax here"
STRENGTHS = (0.4, 0.7, 1.0)
"""Shares of the tokens around the fault that are written anew, one after the other."""
ALTERNATIVES = 4


async def repair(desk: Desk) -> Plan:
    """Mend the fault that the region is nearest to: what is plainly missing, or what fits."""
    text = desk.page.text
    found = await desk.survey(replace(desk.about(text), region=desk.region))
    if not found.remedies:
        raise Declined("There is no syntax error here.")
    remedy = found.remedies[0]
    mended = remedy.tries[0] if remedy.tries else await _mended(desk, remedy, len(found.faults))
    change = narrowed(text, Change(remedy.hole.start, remedy.hole.end, mended))
    return Plan(LABEL, desk.page, (change,))


async def _mended(desk: Desk, remedy: Remedy, faults: int) -> bytes:
    """The first text for the hole that leaves fewer faults."""
    text, hole = desk.page.text, remedy.hole
    old = text[hole.start : hole.end]
    for step, strength in enumerate(STRENGTHS):
        desk.report("Mending", 100 * step // len(STRENGTHS))
        request = drafted(desk.hole(text, hole, old.count(b"\n") + 1), old, strength)
        answer = await desk.infill(replace(request, alternatives=ALTERNATIVES))
        for fill in (answer.text, *(other.text for other in answer.others)):
            after = changed(text, [Change(hole.start, hole.end, fill.encode())])
            if fill and len((await desk.survey(desk.about(after))).faults) < faults:
                return fill.encode()
    raise Declined("No repair was found for the syntax error here.")
