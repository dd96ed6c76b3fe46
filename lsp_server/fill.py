"""`sfumato fill`: files with holes in, filled files (or the sight of it) out."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console

from engine import Draft, EngineError, InfillRequest, Span, Suggestion
from engine.client import EngineClient
from lsp_server import watch
from lsp_server.source import BadInput, cut_at, cut_at_markers, read_source
from lsp_server.watch import Hole


class View(Protocol):
    """Who is told, hole by hole, what happens."""

    console: Console

    def opened(self, hole: Hole) -> None: ...
    def drafted(self, hole: Hole, draft: Draft) -> None: ...
    def filled(self, hole: Hole, suggestion: Suggestion) -> None: ...
    def finished(self, text: bytes) -> None:
        """All holes of a file are filled; this is the file now."""
        ...


class Plain:
    """Filled files on stdout, figures on stderr."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)

    def opened(self, hole: Hole) -> None:
        pass

    def drafted(self, hole: Hole, draft: Draft) -> None:
        pass

    def filled(self, hole: Hole, suggestion: Suggestion) -> None:
        watch.print_figures(self.console, hole, suggestion)

    def finished(self, text: bytes) -> None:
        sys.stdout.buffer.write(text)
        sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Limits:
    """Of each hole's fill: its lines, and the time for it in milliseconds."""

    max_lines: int
    budget_ms: int


@dataclass(frozen=True, slots=True)
class Source:
    """A file, cut at its holes: one piece more than there are holes.

    language_id     for the engine
    lexer           for the colours, as Pygments calls it
    """

    path: Path
    pieces: list[bytes]
    language_id: str
    lexer: str


def fill(
    paths: Sequence[Path],
    at: tuple[int, int] | None,
    model: Path | None,
    limits: Limits,
    view: View,
) -> None:
    """Fill the holes of some files, with the engine that the editors use too.

    at      line and column of the one hole, from 1; None for every `$0`

    Every file is read before the first is filled. Raises BadInput, EngineError.
    """
    if at is not None and len(paths) > 1:
        raise BadInput("--at needs exactly one file.")
    sources = [_source(path, at) for path in paths]
    asyncio.run(_fill_all(sources, model, limits, view))


def _source(path: Path, at: tuple[int, int] | None) -> Source:
    from grammars import language_for_path

    text = read_source(path)
    pieces = cut_at_markers(path, text) if at is None else cut_at(path, text, *at)
    language = language_for_path(path)
    if language is None:
        return Source(path, pieces, "plaintext", "text")
    return Source(path, pieces, language.lsp_ids[0], language.id)


async def _fill_all(sources: list[Source], model: Path | None, limits: Limits, view: View) -> None:
    client = await EngineClient.connect(model)
    suggestions: list[Suggestion] = []
    try:
        for source in sources:
            text = source.pieces[0]
            for index in range(1, len(source.pieces)):
                rest = b"".join(source.pieces[index:])
                hole = Hole(source.path, source.language_id, source.lexer, text, rest)
                suggestions.append(await _fill_one(client, hole, limits, view))
                text += suggestions[-1].text.encode() + source.pieces[index]
            view.finished(text)
        watch.print_summary(view.console, suggestions, client.info)
    finally:
        await client.close()


async def _fill_one(client: EngineClient, hole: Hole, limits: Limits, view: View) -> Suggestion:
    view.opened(hole)
    async with aclosing(client.infill(_request(hole, limits))) as words:
        async for word in words:
            if isinstance(word, Suggestion):
                view.filled(hole, word)
                return word
            view.drafted(hole, word)
    raise EngineError("The engine ended its answer without a suggestion.")


def _request(hole: Hole, limits: Limits) -> InfillRequest:
    cursor = len(hole.before)
    return InfillRequest(
        hole.before + hole.after,
        Span(cursor, cursor),
        hole.language_id,
        max_lines=limits.max_lines,
        budget_ms=limits.budget_ms,
    )
