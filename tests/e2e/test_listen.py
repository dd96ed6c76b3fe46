"""`sfumato engine --listen`: a process that others reach by TCP, with keys and TLS."""

import asyncio
import json
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trustme

from engine import Draft, InfillRequest, Span, Suggestion, wire
from tests.support.listening import HEADERS, listening
from tests.support.processes import LIMIT_S, Gated, corner

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")

BODY = {"model": "m", "prompt": "x = ", "stream": True}


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with corner(monkeypatch) as path:
        yield path


@asynccontextmanager
async def client_of(
    gated: Gated, *options: str, trust: ssl.SSLContext | None = None
) -> AsyncGenerator[httpx.AsyncClient, None]:
    """A client of a scripted engine's process that listens for others."""
    with listening(gated.model, *options) as port:
        url = f"{'https' if trust else 'http'}://localhost:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=LIMIT_S, verify=trust or False) as http:
            yield http


@pytest.mark.asyncio
async def test_a_client_that_vanishes_from_a_stream_stops_the_engine(folder: Path) -> None:
    async with Gated(folder, answer="abcdef") as gated, client_of(gated) as http:
        body = {
            "model": "m",
            "stream": True,
            "diffusing": True,
            "messages": [{"role": "user", "content": "```python\n$0\n```"}],
        }
        gated.allow_steps(2)
        async with http.stream("POST", "/v1/chat/completions", json=body, headers=HEADERS) as reply:
            lines = reply.aiter_lines()
            chunk = json.loads((await anext(lines)).removeprefix("data: "))
            assert chunk["choices"][0]["delta"]["content"].startswith("```python\na")
            await anext(lines)
            await anext(lines)
        await http.get("/health")  # it read the end of the stream before it answered this
        await stopped(gated, steps=2)


@pytest.mark.asyncio
async def test_a_client_that_vanishes_before_a_whole_answer_stops_the_engine(folder: Path) -> None:
    async with Gated(folder, answer="abcdef") as gated, client_of(gated) as http:
        asking = asyncio.create_task(
            http.post("/v1/completions", json={**BODY, "stream": False}, headers=HEADERS)
        )
        assert await gated.next_event() == "request"
        gated.allow_steps(1)
        assert await gated.next_event() == "step 1"
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await http.get("/health")
        await stopped(gated, steps=1, seen=2)


async def stopped(gated: Gated, steps: int, seen: int = 0) -> None:
    """Check that no more than the step under way was made."""
    gated.allow_steps(1)  # for the one that waits already
    events = ["request", *(f"step {step}" for step in range(1, steps + 1))][seen:]
    assert [await gated.next_event() for _ in events] == events
    last = [await gated.next_event()]
    if last != ["closed"]:
        assert last == [f"step {steps + 1}"]
        assert await gated.next_event() == "closed"


@pytest.mark.asyncio
async def test_our_own_protocol_is_served_to_who_has_a_key(folder: Path) -> None:
    async with Gated(folder, answer="ab") as gated, client_of(gated) as http:
        gated.allow_steps(2)
        assert (await http.get("/v1/info")).status_code == 401
        info = await http.get("/v1/info", headers=HEADERS)
        assert wire.info_from_json(info.content).model == "scripted"
        request = wire.to_json(InfillRequest(b"x = \n", Span(4, 4), "python"))
        async with http.stream("POST", "/v1/infill", content=request, headers=HEADERS) as reply:
            words = [word async for word in wire.from_events(reply.aiter_lines())]
        assert [type(word) for word in words] == [Draft, Draft, Suggestion]


@pytest.mark.asyncio
async def test_what_is_served_is_encrypted_with_the_certificate_that_is_given(folder: Path) -> None:
    authority = trustme.CA()
    files = [str(folder / name) for name in ("cert.pem", "key.pem")]
    certificate = authority.issue_cert("localhost")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(files[0], append=True)
    certificate.private_key_pem.write_to_path(files[1])
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    options = ("--certfile", files[0], "--keyfile", files[1])
    async with Gated(folder, answer="a") as gated, client_of(gated, *options, trust=trust) as http:
        gated.allow_steps(1)
        reply = await http.post("/v1/completions", json=BODY, headers=HEADERS)
        assert '"text":"a"' in reply.text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--listen", "0.0.0.0:0"], "there is no API key"),
        (["--listen", "127.0.0.1:0", "--certfile", "nowhere.pem"], "both --certfile and"),
        (["--listen", "127.0.0.1:0", "--keys", "nowhere"], "cannot be read"),
        (["--listen", "nowhere"], "expected HOST:PORT"),
    ],
)
def test_what_cannot_be_served_safely_is_refused_at_once(options: list[str], sentence: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lsp_server.cli", "engine", *options],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
