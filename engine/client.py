"""A client's end of the engine: finds the process or starts it, streams drafts. Free of torch."""

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from typing import NamedTuple, Self

import httpx
from filelock import FileLock, Timeout

from engine import __version__, wire
from engine.errors import CheckpointError, EngineError, EngineUnreachable
from engine.rendezvous import Rendezvous, last_words, rendezvous, start
from engine.shelf import model_folder
from engine.types import (
    Draft,
    EngineInfo,
    InfillRequest,
    Suggestion,
    Survey,
    SurveyRequest,
    WorkspaceChange,
)
from engine.unix_http import UnixTransport

PROGRAM = (sys.executable, "-P", "-m", "engine")
"""Serves the checkpoint in DIR when given `--model DIR`.

`-P`: without it Python would import a folder named engine that lies where it is started.
"""

START_LIMIT_S = 120.0
"""Enough to read torch and the weights from a slow disk; a process that ends is noticed at once."""

HANDSHAKE_LIMIT_S = 5.0
POLL_S = 0.05

OWN_NAME = str(os.getpid())
"""By which the engine knows whose request it is."""

OVERDUE_S = 30.0
"""How far beyond its budget an answer may be before the engine counts as hung."""


class Line(NamedTuple):
    """An open line to an engine."""

    http: httpx.AsyncClient
    info: EngineInfo


class EngineClient:
    """The engine of this user, version and checkpoint, shared with every other client.

    Several requests may be in flight. An engine that ended itself while idle is started again by
    the next `infill`.
    """

    def __init__(self, model: Path, program: Sequence[str], line: Line) -> None:
        """Callers use `connect` or `find`."""
        self._model = model
        self._program = program
        self._line = line

    @classmethod
    async def connect(cls, model: Path | None = None, program: Sequence[str] = PROGRAM) -> Self:
        """Find the engine of a checkpoint (a folder, a name, None for the default), or start it.

        program     serves the checkpoint in DIR when given `--model DIR`

        Raises CheckpointError with the engine's own sentence, EngineUnreachable otherwise.
        """
        model = model_folder(model).resolve()
        return cls(model, program, await _find_or_start(model, program))

    @classmethod
    async def find(cls, model: Path | None = None, name: str = OWN_NAME) -> Self | None:
        """The engine if it is running, else None. Raises as `connect` does.

        name  of whoever is to have turns of its own
        """
        model = model_folder(model).resolve()
        line = await _call(rendezvous(model), name)
        return None if line is None else cls(model, PROGRAM, line)

    @property
    def info(self) -> EngineInfo:
        """What the engine said of itself in the handshake."""
        return self._line.info

    async def pid(self) -> int:
        """Process id of the engine."""
        with _engine_errors():
            return (await self._line.http.get("/health")).json()["pid"]

    async def infill(self, request: InfillRequest) -> AsyncGenerator[Draft | Suggestion, None]:
        """Stream the drafts of a request, then its one Suggestion.

        To cancel, close the generator (`aclose`) or cancel the task that pulls it: the connection
        closes and the engine stops within one denoising step.

        Raises what the engine raised; EngineUnreachable when it ends or hangs in the middle.
        """
        with _engine_errors():
            overdue_s = request.budget_ms / 1000 + OVERDUE_S
            response = await self._post("/v1/infill", wire.to_json(request), overdue_s)
            try:
                async for word in wire.from_events(response.aiter_lines()):
                    yield word
                    if isinstance(word, Suggestion):
                        return
            finally:
                await response.aclose()
        raise EngineUnreachable("The engine ended in the middle of an answer; ask again.")

    async def survey(self, request: SurveyRequest) -> Survey:
        """What there is to do in a text. Raises EngineError, EngineUnreachable."""
        with _engine_errors():
            response = await self._post("/v1/survey", wire.to_json(request), OVERDUE_S)
            try:
                return wire.survey_from_json(await response.aread())
            finally:
                await response.aclose()

    async def index(self, change: WorkspaceChange) -> int:
        """Tell what is new in a workspace; returns how many of its files the engine keeps.

        Raises EngineError, EngineUnreachable.
        """
        with _engine_errors():
            response = await self._post("/v1/workspace", wire.to_json(change), OVERDUE_S)
            try:
                return json.loads(await response.aread())["files"]
            finally:
                await response.aclose()

    async def _post(self, path: str, body: str, overdue_s: float) -> httpx.Response:
        try:
            return await self._send(path, body, overdue_s)
        except (httpx.NetworkError, httpx.RemoteProtocolError):  # it has ended, idle, or just ends
            self._line = await _find_or_start(self._model, self._program)
            return await self._send(path, body, overdue_s)

    async def _send(self, path: str, body: str, overdue_s: float) -> httpx.Response:
        http = self._line.http
        post = http.build_request("POST", path, content=body, timeout=overdue_s)
        response = await http.send(post, stream=True)
        if response.is_error:
            raise EngineError((await response.aread()).decode())
        return response

    async def close(self) -> None:
        """Hang up. The engine stays, for others and for the next time."""
        await self._line.http.aclose()


@contextmanager
def _engine_errors() -> Generator[None, None, None]:
    """Turn what HTTP raises when the other side is gone into our own error."""
    try:
        yield
    except httpx.TransportError as error:
        reason = str(error) or type(error).__name__
        raise EngineUnreachable(f"The engine does not answer ({reason}); ask again.") from error


async def _find_or_start(model: Path, program: Sequence[str]) -> Line:
    """Call the engine until it answers; start one whenever there is none.

    Of all who find none, here and in other processes, one starts it and the rest call on.
    """
    meeting = rendezvous(model)
    starter = meeting.starter()
    child: Popen[bytes] | None = None
    try:
        async with asyncio.timeout(START_LIMIT_S):
            while (line := await _call(meeting)) is None:
                if starter.is_locked or _taken(starter):
                    child = _started(child, meeting, [*program, "--model", str(model)])
                await asyncio.sleep(POLL_S)
            return line
    except TimeoutError as error:
        raise EngineUnreachable(
            f"The engine did not start within {START_LIMIT_S:.0f} s; see {meeting.log_path}."
        ) from error
    finally:
        starter.release()


def _taken(lock: FileLock) -> bool:
    """Take a lock that nobody holds; returns whether it is ours now."""
    with suppress(Timeout):
        lock.acquire(blocking=False)
    return lock.is_locked


def _started(
    child: Popen[bytes] | None, meeting: Rendezvous, program: Sequence[str]
) -> Popen[bytes] | None:
    """The process that is to be the engine: the one started last, or a new one where it left.

    It leaves with status 0 where another engine was just ending. Raises why it could not start.
    """
    status = 0 if child is None else child.poll()
    if status:
        raise _start_error(meeting, status)
    if status == 0 and not meeting.is_taken():
        child = start(meeting, program)
        threading.Thread(target=child.wait, daemon=True).start()  # leaves no zombie
    return child


def _start_error(meeting: Rendezvous, status: int) -> EngineError:
    sentence = last_words(meeting)
    if status == 2:
        return CheckpointError(sentence)
    return EngineUnreachable(
        f"The engine could not start (exit status {status}, log {meeting.log_path}): {sentence}"
    )


async def _call(meeting: Rendezvous, name: str = OWN_NAME) -> Line | None:
    """Shake hands with the engine of a rendezvous; None when nobody answers.

    Raises EngineUnreachable when the one who answers is another version or serves another model.
    """
    http = _http(meeting, name)
    try:
        reply = await http.get("/v1/info", timeout=HANDSHAKE_LIMIT_S)
        info = wire.info_from_json(reply.raise_for_status().content)
    except (httpx.HTTPError, ValueError):
        await http.aclose()
        return None
    if (info.version, info.checksum) != (__version__, meeting.checksum):
        await http.aclose()
        raise EngineUnreachable(
            f"The engine at {meeting.socket_path} is version {info.version} with model "
            f"{info.model} ({info.checksum[:12]}), expected {__version__} with "
            f"{meeting.checksum[:12]}; end that process and try again."
        )
    return Line(http, info)


def _http(meeting: Rendezvous, name: str) -> httpx.AsyncClient:
    """HTTP to the address in the rendezvous.

    A connection per request, as a `UnixTransport` has. No certificates are read (20 ms): there is
    no TLS here.
    """
    if meeting.transport == "unix":
        return httpx.AsyncClient(
            transport=UnixTransport(str(meeting.socket_path)),
            base_url="http://engine",
            headers={wire.CLIENT_HEADER: name},
        )
    port, token = meeting.tcp_address()
    single = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(limits=single, verify=False),
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {token}", wire.CLIENT_HEADER: name},
    )
