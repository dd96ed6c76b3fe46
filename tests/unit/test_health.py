"""Whether an engine that was started is still of use, as load balancers and Ray ask it."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from engine import EngineError, desk
from engine.desk import Desk
from engine.service import own_routes
from engine.types import InfillRequest, Span
from tests.support.scripted_engine import Script, ScriptedEngine, Waiting

BUG, SOUND = b"bug", b"x = "


def asked(one: Desk, text: bytes) -> None:
    """Ask, whatever comes of it."""

    async def ask() -> None:
        async for _ in one.words(InfillRequest(text, Span(0, 0), "python", budget_ms=100.0)):
            pass

    with suppress(EngineError):
        asyncio.run(ask())


@pytest.mark.parametrize(
    ("texts", "works"),
    [
        ([SOUND], True),
        ([BUG, BUG], True),
        ([BUG, BUG, SOUND, BUG], True),
        ([BUG, BUG, BUG], False),
        ([BUG, BUG, BUG, SOUND], True),
        ([b"too long"] * 9, True),
    ],
)
def test_an_engine_is_in_trouble_when_it_can_only_fail(texts: list[bytes], works: bool) -> None:
    one = Desk(ScriptedEngine(Script()))
    for text in texts:
        asked(one, text)
    reply = TestClient(Starlette(routes=own_routes(one))).get("/health")
    assert reply.status_code == (200 if works else 503)
    assert (one.trouble() is None) == works
    assert ("message" in reply.json()) != works


def test_an_engine_is_in_trouble_while_it_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "_OVERDUE_S", -1.0)
    engine = Waiting()
    one = Desk(engine)
    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(asked, one, SOUND)
        assert engine.begun.wait(10)
        assert one.trouble() is not None
        os.write(engine.write, b".")
        asking.result(10)
    one.threads.shutdown()
    assert one.trouble() is None
