"""The engine as a process of its own: started, shared, private, and gone when nobody asks."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from engine import (
    CheckpointError,
    Draft,
    EngineBusy,
    EngineError,
    EngineUnreachable,
    InfillRequest,
    RequestTooLong,
    Span,
    Suggestion,
    WorkspaceChange,
    WorkspaceFile,
)
from engine.client import EngineClient
from engine.rendezvous import rendezvous, start
from engine.turns import MOST_WAITING
from tests.support.processes import LIMIT_S, Gated, corner
from tests.support.scripted_engine import PROGRAM, Script, write_script

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with corner(monkeypatch) as path:
        yield path


async def connect(folder: Path, script: Script | None = None) -> EngineClient:
    """A client of a scripted engine whose checkpoint is in `folder`."""
    model = folder / "model"
    if not model.exists():
        write_script(model, script or Script())
    return await EngineClient.connect(model, PROGRAM)


def hole(text: str = "x = \n") -> InfillRequest:
    return InfillRequest(text.encode(), Span(4, 4), "python", budget_ms=LIMIT_S * 1000)


async def answer(client: EngineClient, request: InfillRequest) -> list[Draft | Suggestion]:
    async with asyncio.timeout(LIMIT_S):
        return [word async for word in client.infill(request)]


@pytest.mark.asyncio
async def test_files_of_a_workspace_reach_the_engine(folder: Path) -> None:
    client = await connect(folder)
    file = WorkspaceFile("a.py", "python", "caf\u00e9 = 1\n".encode())
    async with asyncio.timeout(LIMIT_S):
        assert await client.index(WorkspaceChange("project", (file,))) == 1
    await client.close()


async def end_of(pid: int) -> None:
    """Wait until a process is gone."""
    with suppress(psutil.NoSuchProcess):
        await asyncio.to_thread(psutil.Process(pid).wait, LIMIT_S)


@pytest.mark.asyncio
async def test_an_engine_is_started_on_demand_and_streams_its_drafts(folder: Path) -> None:
    client = await connect(folder, Script(answer="ab"))
    words = await answer(client, hole())
    assert words[:2] == [Draft("a\u2591", 1, 1), Draft("ab", 2, 0)]
    assert isinstance(words[2], Suggestion)
    assert (words[2].text, words[2].verdict) == ("ab", "valid")
    await client.close()


@pytest.mark.asyncio
async def test_a_started_engine_has_threads_that_wait_asleep(folder: Path) -> None:
    client = await connect(folder)
    environment = psutil.Process(await client.pid()).environ()
    assert environment["OMP_WAIT_POLICY"] == "passive"
    assert environment["GOMP_SPINCOUNT"] == "0"


@pytest.mark.asyncio
async def test_a_folder_named_engine_in_the_workspace_is_not_imported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "engine").mkdir()
    (folder / "engine" / "__init__.py").write_text("raise SystemExit(7)")
    (folder / "engine" / "__main__.py").write_text("raise SystemExit(7)")
    (folder / "model").mkdir()
    (folder / "model" / "SHA256SUMS").write_text("00  config.json\n")
    monkeypatch.chdir(folder)
    with pytest.raises(CheckpointError, match=r"lacks config\.json"):
        await EngineClient.connect(folder / "model")


@pytest.mark.asyncio
async def test_two_clients_at_once_share_one_process(folder: Path) -> None:
    write_script(folder / "model", Script())
    clients = await asyncio.gather(*(connect(folder) for _ in range(2)))
    first, second = await asyncio.gather(*(client.pid() for client in clients))
    assert first == second
    engine_folder = str(folder / "model")
    others = [p for p in psutil.Process().children() if engine_folder in p.cmdline()]
    await asyncio.gather(*(end_of(p.pid) for p in others if p.pid != first))
    assert psutil.pid_exists(first)


@pytest.mark.asyncio
async def test_a_client_that_vanishes_stops_the_engine_within_one_step(folder: Path) -> None:
    async with Gated(folder, answer="abcdef") as gated:
        client = await connect(folder)
        gated.allow_steps(2)
        async with aclosing(client.infill(hole())) as words:
            assert await anext(words) == Draft("a" + "\u2591" * 5, 1, 5)
            assert await anext(words) == Draft("ab" + "\u2591" * 4, 2, 4)
        await client.pid()  # the engine read the end of the stream before it answered this
        gated.allow_steps(4)
        events = [await gated.next_event() for _ in range(3)]
        assert events == ["request", "step 1", "step 2"]
        if (event := await gated.next_event()) == "step 3":  # it had begun already
            event = await gated.next_event()
        assert event == "closed"


@pytest.mark.asyncio
async def test_the_engine_serves_on_after_a_client_vanished(folder: Path) -> None:
    async with Gated(folder, answer="ab") as gated:
        client = await connect(folder)
        gated.allow_steps(1)
        async with aclosing(client.infill(hole())) as words:
            await anext(words)
        gated.allow_steps(3)  # one ends the first request
        assert isinstance((await answer(client, hole()))[-1], Suggestion)


@pytest.mark.asyncio
async def test_a_request_waits_for_the_one_before_it_and_both_are_answered(folder: Path) -> None:
    async with Gated(folder, answer="ab") as gated:
        client = await connect(folder)
        both = asyncio.gather(answer(client, hole()), answer(client, hole()))
        assert await gated.next_event() == "request"
        gated.allow_steps(4)
        first, second = await both
        assert first == second
        events = [await gated.next_event() for _ in range(7)]
        assert events == ["step 1", "step 2", "closed", "request", "step 1", "step 2", "closed"]


@pytest.mark.asyncio
async def test_one_more_than_may_wait_is_told_at_once_that_the_engine_is_busy(folder: Path) -> None:
    async with Gated(folder, answer="a") as gated:
        client = await connect(folder)
        asked = [asyncio.create_task(answer(client, hole())) for _ in range(MOST_WAITING + 2)]
        first, *_ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        with pytest.raises(EngineBusy, match=f"{MOST_WAITING} requests wait"):
            first.pop().result()
        gated.allow_steps(MOST_WAITING + 1)
        answered = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(one, EngineBusy) for one in answered) == 1


@pytest.mark.asyncio
async def test_a_waiting_request_whose_client_vanished_never_begins(folder: Path) -> None:
    async with Gated(folder, answer="ab") as gated:
        client = await connect(folder)
        first = asyncio.create_task(answer(client, hole()))
        assert await gated.next_event() == "request"
        waiting = asyncio.create_task(answer(client, hole()))
        await client.pid()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await client.pid()  # the engine read the end of the other before it answered this
        gated.allow_steps(4)
        await first
        await answer(client, hole())
        events = [await gated.next_event() for _ in range(7)]
        assert events == ["step 1", "step 2", "closed", "request", "step 1", "step 2", "closed"]


@pytest.mark.asyncio
async def test_an_idle_engine_ends_and_the_next_request_starts_another(folder: Path) -> None:
    client = await connect(folder, Script(idle_s=0.2))
    await end_of(first := await client.pid())
    words = await answer(client, hole())
    assert isinstance(words[-1], Suggestion)
    assert await client.pid() != first


@pytest.mark.asyncio
async def test_an_engine_that_ends_takes_its_socket_away(folder: Path) -> None:
    client = await connect(folder)
    meeting = rendezvous(folder / "model")
    psutil.Process(pid := await client.pid()).terminate()
    await end_of(pid)
    assert not meeting.socket_path.exists()
    assert not meeting.is_taken()


@pytest.mark.asyncio
async def test_an_engine_that_dies_in_the_middle_is_unreachable_then_replaced(folder: Path) -> None:
    client = await connect(folder)
    with pytest.raises(EngineUnreachable):
        await answer(client, hole("crash"))
    assert isinstance((await answer(client, hole()))[-1], Suggestion)


@pytest.mark.asyncio
async def test_the_socket_of_a_killed_engine_is_replaced(folder: Path) -> None:
    client = await connect(folder)
    psutil.Process(pid := await client.pid()).kill()
    await end_of(pid)
    assert rendezvous(folder / "model").socket_path.exists()
    assert await (await connect(folder)).pid() != pid


@pytest.mark.asyncio
async def test_all_who_miss_a_killed_engine_start_one_together(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect(folder)
    started: list[object] = []

    def counted(*arguments: Any) -> Any:
        started.append(arguments)
        return start(*arguments)

    monkeypatch.setattr("engine.client.start", counted)
    psutil.Process(pid := await client.pid()).kill()
    await end_of(pid)
    change = WorkspaceChange("project", (WorkspaceFile("a.py", "python", b"x = 1\n"),))
    await asyncio.gather(
        answer(client, hole()), answer(client, hole()), client.index(change), connect(folder)
    )
    assert len(started) == 1


@pytest.mark.asyncio
async def test_nobody_else_may_come_in(folder: Path) -> None:
    await connect(folder)
    meeting = rendezvous(folder / "model")
    assert stat.S_IMODE(meeting.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(meeting.socket_path.stat().st_mode) == 0o600


@pytest.mark.asyncio
@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="the kernel does not name peers")
@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can be another user")
async def test_another_user_who_reaches_the_socket_is_hung_up_on(folder: Path) -> None:
    await connect(folder)
    meeting = rendezvous(folder / "model")
    for path in (meeting.socket_path, meeting.folder, folder / "run", folder):
        path.chmod(0o777)
    stranger = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", AS_A_STRANGER, meeting.socket_path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert stranger.stdout == "connected, hung up on"


AS_A_STRANGER = """
import os, socket, sys
os.setuid(65534)
line = socket.socket(socket.AF_UNIX)
line.connect(sys.argv[1])
try:
    line.send(b"GET /health HTTP/1.0\\r\\n\\r\\n")
    heard = line.recv(1000)
except OSError:
    heard = b""
print("connected,", heard or "hung up on", end="")
"""


@pytest.mark.asyncio
async def test_an_engine_of_another_version_is_refused(folder: Path) -> None:
    with pytest.raises(EngineUnreachable, match=r"version 0\.0\.0-old"):
        await connect(folder, Script(version="0.0.0-old"))


@pytest.mark.asyncio
async def test_a_checkpoint_that_changed_gets_an_engine_of_its_own(folder: Path) -> None:
    before = await connect(folder)
    (folder / "model" / "SHA256SUMS").write_text("1111  script.json\n")
    after = await connect(folder)
    assert await before.pid() != await after.pid()


@pytest.mark.asyncio
async def test_why_an_engine_could_not_load_reaches_its_client(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"^The weights are truncated\.$"):
        await connect(folder, Script(load_error="The weights are truncated."))


@pytest.mark.asyncio
async def test_a_folder_without_a_checkpoint_starts_nothing(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint in"):
        await EngineClient.connect(folder / "nowhere", PROGRAM)


@pytest.mark.asyncio
async def test_a_program_that_cannot_run_is_unreachable(folder: Path) -> None:
    write_script(folder / "model", Script())
    with pytest.raises(EngineUnreachable, match="No module named no_such_engine"):
        await EngineClient.connect(folder / "model", (sys.executable, "-P", "-m", "no_such_engine"))


@pytest.mark.asyncio
async def test_finding_starts_nothing(folder: Path) -> None:
    write_script(folder / "model", Script())
    assert await EngineClient.find(folder / "model") is None
    started = await connect(folder)
    found = await EngineClient.find(folder / "model")
    assert found is not None
    assert await found.pid() == await started.pid()


@pytest.mark.asyncio
async def test_errors_of_a_request_come_back_and_the_engine_stays(folder: Path) -> None:
    client = await connect(folder)
    with pytest.raises(RequestTooLong, match="too long"):
        await answer(client, hole("too long"))
    with pytest.raises(EngineError, match="ZeroDivisionError"):
        await answer(client, hole("a bug"))
    assert isinstance((await answer(client, hole()))[-1], Suggestion)


@pytest.mark.asyncio
async def test_a_malformed_request_is_answered_with_a_sentence(folder: Path) -> None:
    await connect(folder)
    transport = httpx.AsyncHTTPTransport(uds=str(rendezvous(folder / "model").socket_path))
    async with httpx.AsyncClient(transport=transport, base_url="http://engine") as http:
        reply = await http.post("/v1/infill", content=b'{"text": ')
    assert reply.status_code == 400
    assert "not a valid InfillRequest" in reply.text


@pytest.mark.asyncio
async def test_over_tcp_only_who_knows_the_token_is_let_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_script(folder / "model", Script(transport="tcp"))
    over_tcp = replace(rendezvous(folder / "model"), transport="tcp")
    monkeypatch.setattr("engine.client.rendezvous", lambda _: over_tcp)
    client = await connect(folder)
    assert isinstance((await answer(client, hole()))[-1], Suggestion)
    assert stat.S_IMODE(over_tcp.token_path.stat().st_mode) == 0o600
    port, _ = over_tcp.tcp_address()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        assert (await http.get("/v1/info")).status_code == 401
