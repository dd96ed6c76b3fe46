"""The last edit, carried on: elsewhere in the file, or down the lines that follow it.

Where to edit is found exactly, by tokens; the denoiser is asked only for what cannot be known, the
argument that a call has to gain. What the user has just undone is not done again.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from engine.types import InfillRequest, Span, SurveyRequest
from lsp_server.actions.desk import Desk, Plan
from lsp_server.actions.history import Edit
from lsp_server.actions.page import Change, Declined, Page, changed, narrowed
from lsp_server.actions.signature import Signature, calls, changed_signature
from lsp_server.actions.tokens import pattern, renamed, repeated, swapped
from lsp_server.connection import Connection

MAX_PLACES = 200

_SHARED = re.compile(rb"(?:\.|\b(?:def|class|func|function|fn|struct|enum|interface|type)\s+)$")
"""What stands before a name that all of the file may use."""
_EQUALS = re.compile(rb"\s?=(?!=)")
_ARGUMENT = re.compile(r"[^,()\[\]{}\n]+")


async def next_edit(desk: Desk) -> Plan:
    """Do the same in the next place behind the cursor, or else in the first of the file."""
    places = await _places(desk)
    following = [change for change in places if change.start >= desk.region.start]
    return await _plan(desk, "Next edit", [*following, *places][:1])


async def repeat_edit(desk: Desk) -> Plan:
    """Do the same everywhere else in the file."""
    return await _plan(desk, "Repeat the last edit", await _places(desk))


async def continue_pattern(desk: Desk) -> Plan:
    """Do to the lines below what was done to the line of the last edit, while they look alike."""
    changes = list(_continued(desk.page, _last(desk)))
    if not changes:
        raise Declined("The lines below do not look like the line you edited.")
    return Plan("Continue this pattern", desk.page, await desk.sound(changes))


def can_continue(page: Page, edit: Edit) -> bool:
    """Whether the line below looks like the edited one did."""
    return next(_continued(page, edit), None) is not None


@dataclass(frozen=True, slots=True)
class Renaming:
    """A name for another: the text as it was before, and where the old name stood in it.

    Of a name that only its scope may use. `longer`: bytes that the text has grown by.
    """

    text: bytes
    at: int
    longer: int

    @classmethod
    def of(cls, page: Page, edit: Edit) -> "Renaming | None":
        """What was renamed by the last edit, if anything was."""
        name = renamed(edit.old, edit.new)
        if name is None:
            return None
        old, new = (word.encode() for word in name)
        first, before = _first_use(page, edit, name[1])
        if _SHARED.search(before):
            return None
        text = page.text[:first] + old + page.text[first + len(new) :]
        return cls(text, first, len(new) - len(old))

    def here(self, uses: Sequence[int]) -> frozenset[int]:
        """Places of the text before, in the text as it is now."""
        return frozenset(at + self.longer if at > self.at else at for at in uses)


def places(
    page: Page, edit: Edit, earlier: Sequence[Edit], uses: frozenset[int] | None = None
) -> list[Change]:
    """Where else the last edit can be made; none where that would undo one before it.

    uses  where a name that was renamed stands for the same thing; None where that is not known
    """
    if any((one.old, one.new) == (edit.new, edit.old) for one in earlier):
        return []
    name = renamed(edit.old, edit.new)
    signature = changed_signature(edit.old, edit.new)
    if name is not None:
        undone = [renamed(one.new, one.old) for one in earlier]
        found = [] if name in undone else _renames(page, edit, *name, uses)
    else:
        found = _calls(page, signature) if signature else _same(page, edit)
    first, last = page.line(edit.first).start, page.line(edit.last).end
    apart = [change for change in found if change.end < first or change.start > last]
    return apart[:MAX_PLACES]


async def _plan(desk: Desk, label: str, changes: list[Change]) -> Plan:
    edit = _last(desk)
    if not changes:
        raise Declined("There is no other place in this file for the last edit.")
    if renamed(edit.old, edit.new) is not None:
        return Plan(label, desk.page, tuple(changes))  # a name for a name cannot break the file
    signature = changed_signature(edit.old, edit.new)
    if signature and signature.added:
        changes = await _argued(desk, changes, signature.added)
    return Plan(label, desk.page, await desk.sound(changes))


async def _places(desk: Desk) -> list[Change]:
    edit = _last(desk)
    uses = await uses_of_name(desk.connection, desk.page, edit)
    return places(desk.page, edit, desk.earlier, uses)


async def uses_of_name(connection: Connection, page: Page, edit: Edit) -> frozenset[int] | None:
    """Where the name that was renamed stands for the same thing; None where that is not known."""
    renaming = Renaming.of(page, edit)
    if renaming is None:
        return None
    request = SurveyRequest(renaming.text, page.snapshot.language, name=renaming.at)
    survey = await connection.survey(request)
    return None if survey is None or survey.uses is None else renaming.here(survey.uses)


def _last(desk: Desk) -> Edit:
    if desk.last is None:
        raise Declined("There is no last edit to carry on.")
    return desk.last


def _continued(page: Page, edit: Edit) -> Iterator[Change]:
    swap = swapped(edit.old, edit.new)
    for row in range(edit.last + 1, len(page.starts)) if swap else ():
        span = page.line(row)
        line = page.text[span.start : span.end].decode()
        done = repeated(swap, line) if swap else None
        if done is None or done == line:
            return
        yield narrowed(page.text, Change(span.start, span.end, done.encode()))


def _renames(
    page: Page, edit: Edit, old: str, new: str, uses: frozenset[int] | None
) -> list[Change]:
    """The other places where the old name stands for the same thing, as far as can be told."""
    _, before = _first_use(page, edit, new)
    member, shared = before.endswith(b"."), _SHARED.search(before) is not None
    everywhere = shared or not before or uses is not None
    scope = Span(0, len(page.text)) if everywhere else _block(page, edit)
    return [
        Change(at, at + len(old.encode()), new.encode())
        for at in _words(page.text, scope, old)
        if (page.text[:at].endswith(b".") == member or (shared and not member))
        and not _names_an_argument(page.text, at, at + len(old.encode()))
        and (uses is None or at in uses)
    ]


def _first_use(page: Page, edit: Edit, new: str) -> tuple[int, bytes]:
    """Where the new name stands in the edited lines, and what is before it on its line."""
    edited = Span(page.line(edit.first).start, page.line(edit.last).end)
    first = next(_words(page.text, edited, new), edited.start)
    return first, page.text[page.lines_of(Span(first, first)).start : first]


def _words(text: bytes, scope: Span, word: str) -> Iterator[int]:
    whole = rb"(?<![\w\x80-\xff])%b(?![\w\x80-\xff])" % re.escape(word.encode())
    found = re.compile(whole).finditer(text, scope.start, scope.end)
    return (match.start() for match in found)


def _names_an_argument(text: bytes, start: int, end: int) -> bool:
    """Whether a word is a keyword of a call, which is another function's own."""
    return _EQUALS.match(text, end) is not None and text[:start].rstrip()[-1:] in b"(,"


def _block(page: Page, edit: Edit) -> Span:
    """The top-level block of the edited lines; the whole text if that is a single line."""
    first, last = edit.first, edit.last + 1
    while first > 0 and not _begins_block(page, first):
        first -= 1
    while last < len(page.starts) and not _begins_block(page, last):
        last += 1
    if not page.text[page.line(first).end : page.line(last - 1).end].strip():
        return Span(0, len(page.text))
    return Span(page.starts[first], page.line(last - 1).end)


def _begins_block(page: Page, row: int) -> bool:
    span = page.line(row)
    return page.text[span.start : span.end][:1].strip(b" \t)]}#") != b""


def _calls(page: Page, signature: Signature) -> list[Change]:
    text = page.text.decode()
    return [
        Change(len(text[:start].encode()), len(text[:end].encode()), new.encode())
        for start, end, new in islice(calls(text, signature), MAX_PLACES)
    ]


def _same(page: Page, edit: Edit) -> list[Change]:
    swap = swapped(edit.old, edit.new)
    found = pattern(swap) if swap else None
    if swap is None or found is None:
        return []
    new = "".join(swap.new).encode()
    return [Change(*match.span(1), new) for match in found.finditer(page.text)]


async def _argued(desk: Desk, changes: list[Change], name: str) -> list[Change]:
    """The calls with the arguments that the denoiser would give them; else the parameter's name."""
    answers = await desk.infill_all([_argument(desk, change, name) for change in changes])
    arguments = [answer.text.strip() for answer in answers]
    return [
        replace(change, text=change.text.replace(name.encode(), argument.encode()))
        if _ARGUMENT.fullmatch(argument)
        else change
        for change, argument in zip(changes, arguments, strict=True)
    ]


def _argument(desk: Desk, change: Change, name: str) -> InfillRequest:
    """What to put into a call in the place of the parameter's name?"""
    lead, _, trail = change.text.partition(name.encode())
    laid = changed(desk.page.text, [replace(change, text=lead + trail)])
    at = change.start + len(lead)
    return desk.hole(laid, Span(at, at), 1)
