"""What there is to do in a text: holes, shapes, faults and their remedies. No model, no tensor."""

import re
from collections.abc import Iterator
from itertools import pairwise

from engine.remedies import remedies
from engine.types import Fault, Hole, Span, Survey, SurveyRequest
from grammars import (
    Language,
    Shape,
    faults_in,
    hole_at,
    language_for,
    placeholders,
    undocumented,
    uses,
)

MAX_BYTES = 256 * 1024
"""A longer text is searched for markers alone: parsing it would take longer than a menu may."""
BODY_LINES = 12

_DOCUMENTATION = {"python": (b'"""', b'"""'), "go": (b"// ", b""), "rust": (b"/// ", b"")}
"""What opens and closes a comment on a definition, where it is not `/** */`."""
_INDENTATION = re.compile(rb"^([ \t]+)\S", re.MULTILINE)


def survey(request: SurveyRequest) -> Survey:
    """Look through a text. Without a grammar for its language there are only markers."""
    text, cursor, region = request.text, request.cursor, request.region
    marked = [_marked(text, span) for span in _markers(text, request.marker)]
    language = language_for(request.language, text)
    if language is None or len(text) > MAX_BYTES:
        return Survey(tuple(marked))
    if request.name is not None:
        used = uses(language, text, request.name)
        return Survey(uses=None if used is None else tuple(used))
    left = [_for_later(text, shape) for shape in placeholders(language, text)]
    faults = faults_in(language, text)
    return Survey(
        holes=_apart(marked + left),
        shapes=() if cursor is None else tuple(_shapes(language, text, cursor)),
        faults=tuple(Fault(one.start, one.end, one.kind) for one in faults),
        remedies=remedies(language, text, faults, region) if region else (),
    )


def _markers(text: bytes, marker: bytes) -> list[Span]:
    if not marker:
        return []
    return [Span(*found.span()) for found in re.finditer(re.escape(marker), text)]


def _marked(text: bytes, span: Span) -> Hole:
    """A marker alone on its line may become several lines."""
    before, after = _line_around(text, span)
    alone = not before.strip() and not after.strip()
    return Hole(span, "placeholder", max_lines=BODY_LINES if alone else 1)


def _for_later(text: bytes, shape: Shape) -> Hole:
    """A placeholder or an empty body, with the line breaks that a body needs around it."""
    kind = "body" if shape.kind == "body" else "placeholder"
    start, end = shape.start, shape.end
    before, after = _line_around(text, Span(start, end))
    if not before.strip() and not after.strip() and kind == "placeholder":
        return Hole(Span(start, end), kind, max_lines=BODY_LINES)
    start -= len(text[:start]) - len(text[:start].rstrip())
    indentation = before[: len(before) - len(before.lstrip())]
    lead = b"\n" + indentation + _unit(text)
    if text[start - 1 : start] == b"{":
        end += len(text[end:]) - len(text[end:].lstrip())
        return Hole(Span(start, end), kind, lead, b"\n" + indentation, BODY_LINES)
    if text[start - 1 : start] == b":" and not after.strip():
        return Hole(Span(start, end), kind, lead, b"", BODY_LINES)
    return Hole(Span(shape.start, shape.end), kind)


def _line_around(text: bytes, span: Span) -> tuple[bytes, bytes]:
    """The line of a span: what is before it and what is behind it."""
    before = text[text.rfind(b"\n", 0, span.start) + 1 : span.start]
    return before, text[span.end :].partition(b"\n")[0]


def _unit(text: bytes) -> bytes:
    """One step of indentation in this text; four spaces if it has none."""
    widths = sorted({found[1] for found in _INDENTATION.finditer(text)}, key=len)
    if widths and widths[0].startswith(b"\t"):
        return b"\t"
    steps = [len(widths[0]), *(len(b) - len(a) for a, b in pairwise(widths))] if widths else []
    return b" " * min((step for step in steps if step > 1), default=4)


def _apart(holes: list[Hole]) -> tuple[Hole, ...]:
    """In order, without those that overlap one before them."""
    kept: list[Hole] = []
    for hole in sorted(holes, key=lambda hole: (hole.span.start, -hole.span.end)):
        if not kept or hole.span.start >= kept[-1].span.end:
            kept.append(hole)
    return tuple(kept)


def _shapes(language: Language, text: bytes, cursor: int) -> Iterator[Hole]:
    """The arguments of the call, and the docstring to come, that the cursor is in."""
    shape = hole_at(language, text, cursor)
    if shape.kind == "arguments":
        lines = text.count(b"\n", shape.start, shape.end) + 1
        yield Hole(Span(shape.start, shape.end), "arguments", max_lines=lines)
    definition = undocumented(language, text, cursor)
    if definition is not None:
        inside = language.id == "python"
        at = definition.body if inside else definition.start
        before, _ = _line_around(text, Span(at, at))
        at -= len(before.lstrip())
        opening, closing = _DOCUMENTATION.get(language.id, (b"/** ", b" */"))
        indentation = before[: len(before) - len(before.lstrip())]
        if not inside or not before.strip():  # else the body is on the line of its head
            yield Hole(Span(at, at), "docstring", opening, closing + b"\n" + indentation)
