"""What a user feels: keys typed through the real language server, from the request to the reply."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from lsprotocol import types

from bench.corner import own_corner, own_source, start_engine
from bench.editor import Editor, editor
from bench.load import busy_cores
from bench.timing import Spread, percentile
from engine.client import EngineClient
from engine.types import InfillRequest, Span

_PLACES, _KEYS, _WARM_UP = 120, 6, 3
_SHORT_LINES, _LONG_LINES = 100, 10_000
_SHORT, _LONG = "file:///bench/short.py", "file:///bench/long.py"
_CANCELS = 15


@dataclass(frozen=True, slots=True)
class Keyboard:
    """Milliseconds from request to reply, unless the name says otherwise.

    asked_ms          requests that needed the engine
    typed_through_ms  requests that followed what was shown
    offered           share of the former that got a suggestion
    cold_start_ms     from starting the language server to the reply to the first request
    cancel_ms         from hanging up on a running request to the first draft of the next
    long_file_ratio   median in a file of 10,000 lines to that in one of 100, same place, same key
    loaded_ratio      median with another process busy on every core to that without, same keys
    server_mb, engine_mb  resident memory of the processes after all this
    """

    asked_ms: list[float]
    typed_through_ms: list[float]
    offered: float
    cold_start_ms: float
    cancel_ms: Spread
    long_file_ratio: float
    loaded_ratio: float
    server_mb: int
    engine_mb: int

    @property
    def p50_ms(self) -> float:
        return percentile(self.asked_ms, 50)

    @property
    def p95_ms(self) -> float:
        return percentile(self.asked_ms, 95)

    @property
    def p99_ms(self) -> float:
        return percentile(self.asked_ms, 99)

    @property
    def typed_through_p95_ms(self) -> float | None:
        """None where nothing was suggested that could be typed through."""
        return percentile(self.typed_through_ms, 95) if self.typed_through_ms else None


def measure_keyboard(model: Path, device: str) -> Keyboard:
    """Start server and engine in a corner of their own, type, and end them."""
    with own_corner():
        return asyncio.run(_measure(model.resolve(), device))


async def _measure(model: Path, device: str) -> Keyboard:
    text = own_source("service.py")
    began = time.perf_counter()
    engine = asyncio.create_task(start_engine(model, device))
    async with editor(model) as hands, _ended(await engine) as client:
        hands.open("file:///bench/first.py", "import os\n\nfor name in ")
        await hands.ask("file:///bench/first.py", 2)
        cold_start_ms = (time.perf_counter() - began) * 1000
        hands.open("file:///bench/service.py", text)
        asked_ms, kept_ms, offered = await _type_through(hands, "file:///bench/service.py")
        long_file_ratio = await _long_file_ratio(hands)
        loaded_ratio = await _loaded_ratio(hands)
        cancel_ms = await _cancel(client, text)
        process = psutil.Process(await client.pid())
        servers = [child for child in psutil.Process().children() if child != process]
        return Keyboard(
            asked_ms=asked_ms,
            typed_through_ms=kept_ms,
            offered=offered,
            cold_start_ms=cold_start_ms,
            cancel_ms=cancel_ms,
            long_file_ratio=long_file_ratio,
            loaded_ratio=loaded_ratio,
            server_mb=sum(server.memory_info().rss for server in servers) // 2**20,
            engine_mb=process.memory_info().rss // 2**20,
        )


@asynccontextmanager
async def _ended(client: EngineClient) -> AsyncGenerator[EngineClient, None]:
    """A line to an engine, which ends with it."""
    process = psutil.Process(await client.pid())
    try:
        yield client
    finally:
        await client.close()
        process.terminate()


async def _type_through(hands: Editor, uri: str) -> tuple[list[float], list[float], float]:
    """Take the rest of lines away and type.

    In every other line the next key, and in the others what is suggested: milliseconds to the
    replies, and the share of the former that was a suggestion.
    """
    asked_ms: list[float] = []
    kept_ms: list[float] = []
    offered = 0
    for count, (row, column, rest) in enumerate(_places(hands, uri)):
        hands.replace(uri, row, column, column + len(rest), "")
        if count % 2:
            kept_ms += await _along(hands, uri, row, column)
        else:
            hands.replace(uri, row, column, column, rest[0])
            ghost, spent_ms = await hands.ask(uri, row)
            offered += bool(ghost)
            asked_ms.append(spent_ms)
        end = len(hands.lines(uri)[row])
        hands.replace(uri, row, column, end, rest)
    asked_ms = asked_ms[_WARM_UP:]
    return asked_ms, kept_ms, offered / len(asked_ms)


async def _along(hands: Editor, uri: str, row: int, column: int) -> list[float]:
    """Ask by hand and type what is suggested, asking after each key; milliseconds to each reply."""
    ghost, _ = await hands.ask(uri, row, types.InlineCompletionTriggerKind.Invoked)
    kept_ms: list[float] = []
    for place, key in enumerate(ghost[: min(_KEYS, len(ghost) - 1)], column):
        hands.replace(uri, row, place, place, key)
        kept_ms.append((await hands.ask(uri, row))[1])
    return kept_ms


def _places(hands: Editor, uri: str) -> list[tuple[int, int, str]]:
    """Row, column behind the first word, and the rest of lines that are spread over the text."""
    found: list[tuple[int, int, str]] = []
    for row, line in enumerate(hands.lines(uri)):
        column = len(line) - len(line.lstrip()) + len((line.split() or [""])[0])
        if len(line) - column > _KEYS:
            found.append((row, column, line[column:]))
    stride = max(1, len(found) // (_PLACES + _WARM_UP))
    return found[::stride][: _PLACES + _WARM_UP]


async def _long_file_ratio(hands: Editor) -> float:
    """The same key at the same places of a short document and of a long one around it."""
    source = own_source().split("\n")
    lines = (source * (_LONG_LINES // len(source) + 1))[:_LONG_LINES]
    first = (_LONG_LINES - _SHORT_LINES) // 2
    offsets = {_SHORT: 0, _LONG: first}
    hands.open(_SHORT, "\n".join(lines[first : first + _SHORT_LINES]))
    hands.open(_LONG, "\n".join(lines))
    taken_ms: dict[str, list[float]] = {uri: [] for uri in offsets}
    for row, column, rest in _places(hands, _SHORT):
        for uri, offset in offsets.items():
            taken_ms[uri].append(await _strange_key(hands, uri, row + offset, column, rest))
    return percentile(taken_ms[_LONG], 50) / percentile(taken_ms[_SHORT], 50)


async def _loaded_ratio(hands: Editor) -> float:
    """The same keys in the short document while every core is busy, and while none is."""

    async def taken_ms() -> list[float]:
        return [await _strange_key(hands, _SHORT, *place) for place in _places(hands, _SHORT)]

    calm_ms = await taken_ms()
    with busy_cores():
        busy_ms = await taken_ms()
    return percentile(busy_ms, 50) / percentile(calm_ms, 50)


async def _strange_key(hands: Editor, uri: str, row: int, column: int, rest: str) -> float:
    """Milliseconds to the reply to a key that follows nothing that was found there before it."""
    hands.replace(uri, row, column, column + len(rest), "")
    await hands.ask(uri, row)
    hands.replace(uri, row, column, column, "q")
    _, spent_ms = await hands.ask(uri, row)
    hands.replace(uri, row, column, column + 1, rest)
    return spent_ms


async def _cancel(client: EngineClient, text: str) -> Spread:
    """Hang up on a long request after its first draft, and ask for something small."""
    place = text.index("\n", len(text) // 2) + 1
    hole, budget_ms = Span(place, place), 10_000.0
    long = InfillRequest(text.encode(), hole, "python", 8, 64, budget_ms)
    small = InfillRequest(text.encode(), hole, "python", 1, 1, budget_ms)
    taken_ms: list[float] = []
    for _ in range(_CANCELS):
        running = client.infill(long)
        await anext(running)
        began = time.perf_counter()
        await running.aclose()
        following = client.infill(small)
        await anext(following)
        taken_ms.append((time.perf_counter() - began) * 1000)
        await following.aclose()
    return Spread.of(taken_ms)
