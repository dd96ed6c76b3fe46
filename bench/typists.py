"""Many people who type at once on one engine, each the missing part of a file.

A key overtakes the request before it, as in an editor: what counts is what comes in time.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.corner import own_corner, own_files, start_engine
from bench.timing import percentile
from engine.client import EngineClient
from engine.errors import EngineBusy
from engine.types import InfillRequest, Span, Suggestion

COUNTS = (1, 8, 32, 128)
_SECONDS = 8.0
_PAUSE_S, _SPREAD = 0.18, 0.6
"""Between two keys: the median of a log-normal distribution, and the deviation of its logarithm."""
_BUDGET_MS = 500.0
_TYPED = 500
"""Characters of each file that are still to be typed."""


@dataclass(slots=True)
class Crowd:
    """What so many typists got; a request that a later key overtook is in neither count.

    answered_ms  from the request to its last word
    busy         requests that were turned away
    tokens       in the suggestions
    least        answers of the typist who got fewest, as a share of the mean
    """

    typists: int
    answered_ms: list[float] = field(default_factory=list[float])
    busy: int = 0
    tokens: int = 0
    least: float = 0.0

    @property
    def p50_ms(self) -> float | None:
        """None where nothing was answered in time."""
        return percentile(self.answered_ms, 50) if self.answered_ms else None

    @property
    def p95_ms(self) -> float | None:
        """None where nothing was answered in time."""
        return percentile(self.answered_ms, 95) if self.answered_ms else None

    @property
    def tokens_per_s(self) -> float:
        """In suggestions that came before the next key."""
        return self.tokens / _SECONDS


def measure_typists(model: Path, device: str) -> list[Crowd]:
    """Start an engine in a corner of its own, let crowds type, and end it."""
    with own_corner():
        return asyncio.run(_measure(model.resolve(), device))


async def _measure(model: Path, device: str) -> list[Crowd]:
    client = await start_engine(model, device)
    engine = psutil.Process(await client.pid())
    try:
        return [await _let_type(model, count) for count in COUNTS]
    finally:
        await client.close()
        engine.terminate()


async def _let_type(model: Path, count: int) -> Crowd:
    crowd, texts = Crowd(count), [text for text in own_files() if len(text) > 2 * _TYPED]
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_client(model, n)) for n in range(count)]
        end_s = time.monotonic() + _SECONDS
        got = await asyncio.gather(
            *(
                _type(client, texts[seed % len(texts)], random.Random(seed), end_s, crowd)
                for seed, client in enumerate(clients)
            )
        )
    crowd.least = min(got) * count / max(1, sum(got))
    return crowd


@asynccontextmanager
async def _client(model: Path, number: int) -> AsyncGenerator[EngineClient, None]:
    """Somebody who has turns of their own."""
    client = await EngineClient.find(model, f"typist {number}")
    assert client is not None, "the engine runs until everybody has typed"
    try:
        yield client
    finally:
        await client.close()


async def _type(
    client: EngineClient, text: str, rng: random.Random, end_s: float, crowd: Crowd
) -> int:
    """Type on from some place, with a request after each key; how many were answered in time."""
    place, answered = rng.randrange(len(text) - _TYPED), 0
    before, rest, behind = text[:place], text[place : place + _TYPED], text[place + _TYPED :]
    for typed in range(1, len(rest)):
        pause_s = rng.lognormvariate(0, _SPREAD) * _PAUSE_S
        if time.monotonic() + pause_s > end_s:
            break
        head = (before + rest[:typed]).encode()
        line_end = behind.index("\n") if "\n" in behind else 0
        hole = Span(len(head), len(head))
        request = InfillRequest(
            head + behind[line_end:].encode(), hole, "python", budget_ms=_BUDGET_MS
        )
        asking = asyncio.create_task(_ask(client, request, crowd))
        await asyncio.sleep(pause_s)
        if asking.done():
            answered += asking.result()
        else:  # the key overtakes it
            asking.cancel()
    return answered


async def _ask(client: EngineClient, request: InfillRequest, crowd: Crowd) -> int:
    began_s = time.monotonic()
    try:
        async with aclosing(client.infill(request)) as words:
            async for word in words:
                if isinstance(word, Suggestion):
                    crowd.answered_ms.append((time.monotonic() - began_s) * 1000)
                    crowd.tokens += word.timings.filled_tokens
    except EngineBusy:
        crowd.busy += 1
        return 0
    return 1
