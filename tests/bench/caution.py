"""What does caution after rejections keep from a typist? Blocks of held-out code, typed again.

    .venv/bin/python -m tests.bench.caution HELD-OUT... [--blocks 2] [--model DIR]

From files the model has not seen, with the rest of their repository as the workspace, a block of
lines is taken out and typed again, top to bottom, through the server's own policy, scheduler and
feedback, in virtual time: a key every 80 to 200 ms, and a pause behind a word, in which the typist
reads, and takes what would be typed anyway. The editor closes brackets and quotes as they are
opened, and what it closed is typed over. The same is typed with caution and without: a row for
each, and one JSON line last.
"""

import argparse
import asyncio
import json
import random
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from engine.infill import Engine
from engine.rendezvous import DEFAULT_MODEL
from engine.train.cli_train import read_sources
from engine.train.corpus import SourceFile
from engine.train.evaluate import show_workspaces
from engine.train.items import project_of, without_copies
from engine.types import Draft, InfillRequest, Suggestion
from lsp_server import feedback
from lsp_server.context import Site
from lsp_server.inline import Suggester, Wish
from lsp_server.positions import Place, split_lines
from lsp_server.settings import Settings
from lsp_server.suggestions import Offer
from tests.support.virtual_time import run

BLOCK_LINES = 14
LARGEST_FILE = 40_000
ENGINE_S = 0.09
"""Of virtual time, for an answer of the engine."""
KEY_S = (0.08, 0.2)
PAUSE_S = (0.3, 1.5)
_CLOSERS = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}
_QUOTES = "\"'"


@dataclass(frozen=True)
class Block:
    """Lines of a file that are typed again, between its head and its tail."""

    file: SourceFile
    head: str
    text: str
    tail: str


@dataclass
class Tally:
    """What became of what was typed.

    saved    characters that were taken
    silence  most keys in a row behind which nothing was shown
    """

    keys: int = 0
    shown: int = 0
    rejected: int = 0
    accepted: int = 0
    saved: int = 0
    silence: int = 0


class Typist:
    """Types blocks with one server's help."""

    def __init__(self, engine: Engine, known: dict[InfillRequest, Draft | Suggestion]) -> None:
        self.tally = Tally()
        self._engine = engine
        self._known = known
        self._draw = random.Random(0)

    async def type(self, blocks: list[Block]) -> None:
        """Type the blocks one after the other."""
        clock = asyncio.get_running_loop().time
        self._suggester = Suggester(self._drafts, lambda _site, _draft: None, self._count, clock)
        for self._block in blocks:
            await self._type(self._block.text)
            self._suggester.drop()

    async def _type(self, text: str) -> None:
        typed, closers, silence = "", "", 0
        while typed != text:
            key = _key(text[len(typed) :])
            typed, closers = typed + key, _closed(typed, key, closers)
            self.tally.keys += 1
            pauses = typed.endswith((" ", "\n", "(", "."))
            offer = await self._look(self._site(typed, closers), pauses)
            silence = 0 if offer else silence + 1
            self.tally.silence = max(self.tally.silence, silence)
            if offer and pauses and text.startswith(typed + offer.fills[0].text):
                fill = offer.fills[0].text
                self._suggester.feedback.accept(offer.number, len(fill) - len(closers))
                typed, closers = typed + fill, ""

    def _site(self, typed: str, closers: str) -> Site:
        before, block = (self._block.head + typed).encode(), self._block
        lines = split_lines(before + f"{closers}\n{block.tail}".encode())
        cursor = Place(before.count(b"\n"), len(before) - (before.rfind(b"\n") + 1))
        return Site(f"file:///{block.file.path}", block.file.language, lines, cursor)

    async def _look(self, site: Site, pauses: bool) -> Offer | None:
        """What is on the screen when the next key comes."""
        wish = Wish(site, Settings(), invoked=False, removed="", selected="", debounce_ms=0)
        asking = asyncio.create_task(self._suggester.suggest(wish))
        await asyncio.sleep(self._draw.uniform(*(PAUSE_S if pauses else KEY_S)))
        if asking.done() and isinstance(found := asking.result(), Offer):
            return found
        asking.add_done_callback(lambda task: task.cancelled() or task.exception())
        return None

    async def _drafts(self, request: InfillRequest) -> AsyncGenerator[Draft | Suggestion]:
        await asyncio.sleep(ENGINE_S)
        file = self._block.file
        asked = replace(request, budget_ms=1e4, workspace=project_of(file), file=file.path)
        if asked not in self._known:
            *_, self._known[asked] = self._engine.infill(asked)
        yield self._known[asked]

    def _count(self, event: str, characters: int) -> None:
        setattr(self.tally, event, getattr(self.tally, event) + 1)
        self.tally.saved += characters


def _key(rest: str) -> str:
    """The next key, with the indentation that an editor puts behind a line end."""
    return rest[: len(rest) - len(rest[1:].lstrip(" \t"))] if rest[0] == "\n" else rest[0]


def _closed(typed: str, key: str, closers: str) -> str:
    """What the editor has closed behind the cursor once a key is typed; at a line's end nothing."""
    if key[0] == "\n":
        return ""
    if closers.startswith(key):
        return closers[1:]
    in_quotes = closers[:1] in (*_QUOTES,)
    in_a_word = key in _QUOTES and typed[-1:].isalnum()
    return closers if in_quotes or in_a_word else _CLOSERS.get(key, "") + closers


def blocks_of(files: list[SourceFile], count: int) -> list[Block]:
    """Blocks of files drawn at random, one of a file."""
    draw = random.Random(0)
    found: list[Block] = []
    for file in draw.sample(files, len(files)):
        lines = file.text.splitlines(keepends=True)
        if len(lines) > 3 * BLOCK_LINES and len(file.text) < LARGEST_FILE:
            first = draw.randrange(BLOCK_LINES, len(lines) - BLOCK_LINES)
            last = first + BLOCK_LINES
            head, text, tail = map("".join, (lines[:first], lines[first:last], lines[last:]))
            found.append(Block(file, head, text.rstrip("\n"), tail))
    return found[:count]


def named(source: Path) -> list[SourceFile]:
    """The files of a repository, whose name their paths begin with."""
    return [replace(one, path=f"{source.name}/{one.path}") for one in read_sources([source])]


def main() -> None:
    """Type twice, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--blocks", type=int, default=2, help="of each repository")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    options = parser.parse_args()
    engine = Engine.load(options.model)
    repositories = [named(source) for source in options.sources]
    show_workspaces(engine, [file for files in repositories for file in files])
    blocks = [
        block
        for files in repositories
        for block in blocks_of(without_copies(files), options.blocks)
    ]
    known: dict[InfillRequest, Draft | Suggestion] = {}
    tallies: dict[str, dict[str, int]] = {}
    for name, caution in (("with caution", feedback.CAUTION), ("without", 1.0)):
        feedback.CAUTION = caution
        typist = Typist(engine, known)
        run(typist.type(blocks))
        tallies[name] = asdict(typist.tally)
        print(f"{name:13}", *(f"{key} {value}" for key, value in tallies[name].items()))
    print(json.dumps({"model": engine.info.model, "blocks": len(blocks)} | tallies))


if __name__ == "__main__":
    main()
