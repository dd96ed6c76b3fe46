"""Code written anew, or further: a selection, a call's arguments, a docstring."""

from dataclasses import replace

from engine.types import Hole, Span
from lsp_server.actions.desk import Desk, Plan, Strength, drafted
from lsp_server.actions.page import Change, Declined, narrowed

SHARES: dict[Strength, float] = {"light": 0.25, "medium": 0.55, "full": 0.99}
"""Share of a selection's tokens that is written anew. Not all of them: what is written from nothing
has no length to keep to."""
MAX_BYTES = 4_000
"""Of a selection: more would take the engine too long."""


async def rewrite(desk: Desk) -> Plan:
    """Write the selection anew, those tokens first that the engine would not have chosen."""
    text, region = desk.page.text, desk.region
    selected = text[region.start : region.end]
    old = selected.strip()
    if not old:
        raise Declined("Select the code to rewrite first.")
    if len(old) > MAX_BYTES:
        raise Declined(f"Select at most {MAX_BYTES} bytes to rewrite; these are {len(old)}.")
    start = region.start + len(selected) - len(selected.lstrip())
    hole = Span(start, start + len(old))
    request = desk.hole(text, hole, old.count(b"\n") + 1)
    answer = await desk.infill(drafted(request, old, SHARES[desk.strength]))
    if not answer.text or answer.text.encode() == old:
        raise Declined("The engine would leave the selection as it is.")
    change = narrowed(text, Change(hole.start, hole.end, answer.text.encode()))
    label = f"Rewrite selection ({desk.strength})"
    return Plan(label, desk.page, await desk.sound([change]))


async def complete_arguments(desk: Desk) -> Plan:
    """Add the arguments that the call at the cursor still wants; those there are stay."""
    hole = await _shape(desk, "arguments", "The cursor is not between the brackets of a call.")
    there = desk.page.text[hole.span.start : hole.span.end].rstrip()
    lead = b"" if not there else b" " if there.endswith(b",") else b", "
    behind = Hole(
        Span(hole.span.start + len(there), hole.span.end), hole.kind, lead, b"", hole.max_lines
    )
    return Plan("Complete this call's arguments", desk.page, await _filled(desk, behind))


async def write_docstring(desk: Desk) -> Plan:
    """Say what the function at the cursor does, where it does not say so yet."""
    sentence = "The cursor is in no function that lacks a docstring."
    hole = await _shape(desk, "docstring", sentence)
    return Plan("Write the docstring", desk.page, await _filled(desk, hole))


async def _shape(desk: Desk, kind: str, otherwise: str) -> Hole:
    request = replace(desk.about(desk.page.text), cursor=desk.region.start)
    for shape in (await desk.survey(request)).shapes:
        if shape.kind == kind:
            return shape
    raise Declined(otherwise)


async def _filled(desk: Desk, hole: Hole) -> tuple[Change, ...]:
    text, span = desk.page.text, hole.span
    laid = text[: span.start] + hole.lead + hole.trail + text[span.end :]
    at = span.start + len(hole.lead)
    answer = await desk.infill(desk.hole(laid, Span(at, at), hole.max_lines))
    if not answer.text.strip():
        raise Declined("The engine found nothing to put there.")
    change = Change(span.start, span.end, hole.lead + answer.text.encode() + hole.trail)
    return await desk.sound([change])
