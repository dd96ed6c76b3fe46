"""The way to the engine: found in the background, lost without harm, found again."""

import asyncio
from dataclasses import replace

import pytest

from engine import (
    CheckpointError,
    DeviceError,
    EngineUnreachable,
    InfillRequest,
    RequestTooLong,
    Span,
)
from engine.types import Verdict
from lsp_server.connection import Client, Connection, Status
from tests.support.scripted_client import LIMIT_S, ScriptedClient, always, suggestion

pytestmark = pytest.mark.asyncio

REQUEST = InfillRequest(b"x = ", Span(4, 4), "python")


class Outlook:
    """A connection whose attempts end as listed: a client, or an error."""

    def __init__(self, *attempts: Client | Exception, back_off_s: float = 0.0) -> None:
        self.attempts = list(attempts)
        self.statuses: asyncio.Queue[Status] = asyncio.Queue()
        self.connection = Connection(self._connect, self.statuses.put_nowait, (back_off_s,))

    async def _connect(self) -> Client:
        attempt = self.attempts.pop(0)
        if isinstance(attempt, Exception):
            raise attempt
        return attempt

    async def status(self, state: str) -> Status:
        """Wait for a state."""
        while (status := await asyncio.wait_for(self.statuses.get(), LIMIT_S)).state != state:
            pass
        return status

    async def fill(self) -> list[str]:
        """What a request gets."""
        return [draft.text async for draft in self.connection.infill(REQUEST)]


def engine(text: str = "f()") -> ScriptedClient:
    return ScriptedClient(always(text)).run_freely()


async def test_it_says_that_a_language_without_a_grammar_is_not_checked() -> None:
    verdicts: list[Verdict] = ["unchecked", "valid"]
    client = ScriptedClient(lambda _: [replace(suggestion("f()"), verdict=verdicts.pop(0))])
    outlook = Outlook(client.run_freely())
    outlook.connection.wake()
    await outlook.status("idle")
    await outlook.fill()
    assert "No grammar" in (await outlook.status("idle")).unchecked
    await outlook.fill()
    assert (await outlook.status("idle")).unchecked == ""


async def test_it_says_starting_then_idle_busy_idle() -> None:
    outlook = Outlook(engine())
    outlook.connection.wake()
    await outlook.status("starting")
    idle = await outlook.status("idle")
    assert (idle.model, idle.device, idle.last_ms) == ("scripted", "cpu", None)
    assert await outlook.fill() == ["f()"]
    await outlook.status("busy")
    assert (await outlook.status("idle")).last_ms is not None


async def test_it_is_busy_until_the_last_of_several_is_answered() -> None:
    client = ScriptedClient(always("f()"))
    outlook = Outlook(client)
    outlook.connection.wake()
    await outlook.status("idle")
    fills = [asyncio.create_task(outlook.fill()) for _ in range(2)]
    for _ in fills:
        await client.asked.get()
        await outlook.status("busy")
    client.leave.release()
    await asyncio.wait(fills, return_when=asyncio.FIRST_COMPLETED)
    assert outlook.connection.status.state == "busy"
    assert outlook.connection.status.last_ms is not None
    client.leave.release()
    await asyncio.wait(fills)
    assert outlook.connection.status.state == "idle"


async def test_a_request_before_there_is_an_engine_gets_nothing_and_looks_for_one() -> None:
    outlook = Outlook(engine())
    assert await outlook.fill() == []
    await outlook.status("idle")
    assert await outlook.fill() == ["f()"]


async def test_a_broken_checkpoint_is_told_in_its_own_words() -> None:
    outlook = Outlook(CheckpointError("model.safetensors is cut short."))
    outlook.connection.wake()
    assert (await outlook.status("error")).message == "model.safetensors is cut short."


async def test_a_failed_attempt_is_not_repeated_too_soon() -> None:
    outlook = Outlook(EngineUnreachable("no"), engine(), back_off_s=1_000.0)
    outlook.connection.wake()
    await outlook.status("error")
    assert await outlook.fill() == []
    assert len(outlook.attempts) == 1
    assert outlook.statuses.empty()


async def test_after_a_pause_a_request_tries_again() -> None:
    outlook = Outlook(EngineUnreachable("no"), engine())
    outlook.connection.wake()
    await outlook.status("error")
    assert await outlook.fill() == []
    await outlook.status("idle")
    assert await outlook.fill() == ["f()"]


async def test_an_unforeseen_failure_is_an_error_too() -> None:
    outlook = Outlook(OSError("disk on fire"))
    outlook.connection.wake()
    assert "log" in (await outlook.status("error")).message


async def test_a_lost_engine_is_looked_for_at_once() -> None:
    gone = ScriptedClient(lambda _: [EngineUnreachable("The engine ended.")]).run_freely()
    outlook = Outlook(gone, engine(), back_off_s=1_000.0)
    outlook.connection.wake()
    await outlook.status("idle")
    assert await outlook.fill() == []
    assert (await outlook.status("error")).message == "The engine ended."
    assert gone.closed
    await outlook.status("idle")
    assert await outlook.fill() == ["f()"]


async def test_an_engine_that_is_lost_with_every_request_is_left_alone_for_a_while() -> None:
    def gone() -> ScriptedClient:
        return ScriptedClient(lambda _: [EngineUnreachable("The engine ended.")]).run_freely()

    outlook = Outlook(gone(), gone(), engine(), back_off_s=1_000.0)
    outlook.connection.wake()
    for _ in range(2):
        await outlook.status("idle")
        assert await outlook.fill() == []
    assert await outlook.fill() == []
    assert len(outlook.attempts) == 1


async def test_an_engine_without_memory_says_so_and_is_kept() -> None:
    full = ScriptedClient(lambda _: [DeviceError("The device is full.")]).run_freely()
    outlook = Outlook(full)
    outlook.connection.wake()
    await outlook.status("idle")
    assert await outlook.fill() == []
    assert (await outlook.status("error")).message == "The device is full."
    assert not full.closed


async def test_a_request_that_is_too_long_is_no_trouble() -> None:
    outlook = Outlook(ScriptedClient(lambda _: [RequestTooLong("too long")]).run_freely())
    outlook.connection.wake()
    await outlook.status("idle")
    assert await outlook.fill() == []
    await outlook.status("busy")
    await outlook.status("idle")


async def test_closing_a_stream_closes_the_engines() -> None:
    client = ScriptedClient(always("f()"))
    client.leave.release()
    outlook = Outlook(client)
    outlook.connection.wake()
    await outlook.status("idle")
    drafts = outlook.connection.infill(REQUEST)
    await anext(drafts)
    await drafts.aclose()
    assert client.ended.get_nowait()
    assert (await outlook.status("idle")).state == "idle"
