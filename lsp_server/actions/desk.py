"""What every action works with: the page, the place on it, and the engine's word."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Literal
from uuid import uuid4

from engine.types import InfillRequest, Span, Suggestion, Survey, SurveyRequest
from lsp_server.actions.history import Edit
from lsp_server.actions.page import Change, Declined, Page, changed
from lsp_server.connection import Connection
from lsp_server.context import MAX_BYTES_AFTER, MAX_BYTES_BEFORE, file_name

Strength = Literal["light", "medium", "full"]
"""How much of a selection is written anew."""

BUDGET_MS = 3_000.0
"""For an answer that the user asked for by name and waits for."""
MOST_ASKED = 24
"""Requests under way: the engine works on eight together, and more than 64 may not wait there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do to a page.

    label    what the user reads in an undo menu
    changes  in order and apart
    """

    label: str
    page: Page
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Desk:
    """One action's own.

    region    what is selected, or the cursor
    strength  of a rewrite
    marker    text that is a hole
    workspace  what the engine knows the other files by
    last      what the user did last to the document; None for nothing
    earlier   what the user did to it before that
    report    tells how far it has come: a few words, and a percentage
    """

    page: Page
    region: Span
    strength: Strength
    marker: bytes
    workspace: str
    connection: Connection
    last: Edit | None
    earlier: tuple[Edit, ...]
    report: Callable[[str, int], None]

    async def survey(self, request: SurveyRequest) -> Survey:
        """What there is to do in a text. Raises Declined without an engine."""
        found = await self.connection.survey(request)
        if found is None:
            raise self._no_engine()
        return found

    def about(self, text: bytes) -> SurveyRequest:
        """The request to survey a text in this document's language."""
        return SurveyRequest(text, self.page.snapshot.language, self.marker)

    def hole(self, text: bytes, hole: Span, max_lines: int) -> InfillRequest:
        """The request to fill a hole of a text in this language, seen in a window around it."""
        start = _line_start(text, max(0, hole.start - MAX_BYTES_BEFORE), hole.start)
        end = _line_end(text, hole.end, hole.end + MAX_BYTES_AFTER)
        return InfillRequest(
            text[start:end],
            Span(hole.start - start, hole.end - start),
            self.page.snapshot.language,
            max_lines,
            budget_ms=BUDGET_MS,
            workspace=self.workspace,
            file=file_name(self.page.snapshot.uri),
        )

    async def infill(self, request: InfillRequest) -> Suggestion:
        """The engine's answer. Raises Declined without one."""
        async with aclosing(self.connection.infill(request)) as words:
            async for word in words:
                if isinstance(word, Suggestion):
                    return word
        raise self._no_engine()

    async def infill_all(
        self, requests: Sequence[InfillRequest], finished: Callable[[int], None] = lambda _: None
    ) -> list[Suggestion]:
        """The engine's answers to all requests, which it works on together.

        finished  is told how many answers there are, at each

        Raises Declined without an engine; then, or cancelled, nothing is left under way.
        """
        group, turn = uuid4().hex, asyncio.Semaphore(MOST_ASKED)
        budget_ms = BUDGET_MS * min(len(requests), MOST_ASKED)

        async def answer(request: InfillRequest) -> Suggestion:
            async with turn:
                return await self.infill(replace(request, group=group, budget_ms=budget_ms))

        tasks = [asyncio.create_task(answer(request)) for request in requests]
        try:
            for count, answered in enumerate(asyncio.as_completed(tasks), 1):
                await answered
                finished(count)
            return [task.result() for task in tasks]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def sound(self, *candidates: Sequence[Change]) -> tuple[Change, ...]:
        """The first of the candidates that adds no fault to the page, without idle changes.

        Raises Declined if none does, or none changes anything.
        """
        before = len((await self.survey(self.about(self.page.text))).faults)
        for changes in candidates:
            kept = tuple(c for c in changes if self.page.text[c.start : c.end] != c.text)
            after = await self.survey(self.about(changed(self.page.text, kept)))
            if kept and len(after.faults) <= before:
                return kept
        raise Declined("The engine found nothing sound to put there.")

    def _no_engine(self) -> Declined:
        message = self.connection.status.message
        return Declined(message or "The engine is still starting; try again soon.")


def drafted(request: InfillRequest, draft: bytes, strength: float) -> InfillRequest:
    """The request, but to start from a draft."""
    lines = max(request.max_lines, draft.count(b"\n") + 1)
    return replace(request, draft=draft, strength=strength, max_lines=lines)


def _line_start(text: bytes, earliest: int, latest: int) -> int:
    """A window's first byte: the start of a line where there is one."""
    found = text.find(b"\n", earliest, latest) if earliest else -1
    return found + 1 if found >= 0 else _whole(text, earliest)


def _line_end(text: bytes, earliest: int, latest: int) -> int:
    if latest >= len(text):
        return len(text)
    found = text.rfind(b"\n", earliest, latest)
    return found + 1 if found >= 0 else _whole(text, latest)


def _whole(text: bytes, offset: int) -> int:
    """The offset, or one just behind it, that parts no character."""
    while offset < len(text) and 0x80 <= text[offset] < 0xC0:
        offset += 1
    return offset
