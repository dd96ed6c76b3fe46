"""The engine behind a socket: an ASGI app, and the process that serves it.

    GET  /health      {"status": "ok", "pid": 4711}
    GET  /v1/info     the handshake, an EngineInfo
    POST /v1/infill   an InfillRequest; answers with server-sent events, see `engine.wire`
    POST /v1/survey   a SurveyRequest; answers with a Survey
    POST /v1/workspace  a WorkspaceChange; answers with the number of files that are kept of it

Who may ask: over a Unix socket, this user, by the folder's and the socket's permissions and, on
Linux, by the credentials that the kernel gives for the other end; over loopback TCP, whoever knows
the token, which is in a file that only this user can read.
"""

import asyncio
import gc
import hmac
import logging
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeVar

import uvicorn
from filelock import Timeout
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from engine import wire
from engine.desk import Asked, Desk, Infiller
from engine.errors import EngineError
from engine.rendezvous import Rendezvous
from engine.survey import survey
from engine.types import InfillRequest

log = logging.getLogger(__name__)

Word = TypeVar("Word")

LOCK_PATIENCE_S = 2.0
"""A client that looks whether an engine is here holds the lock for an instant."""


@dataclass(slots=True)
class Activity:
    """Requests in flight, and since when there are none (`time.monotonic`, seconds)."""

    in_flight: int = 0
    quiet_since_s: float = field(default_factory=time.monotonic)

    def __enter__(self) -> None:
        self.in_flight += 1

    def __exit__(self, *_: object) -> None:
        self.in_flight -= 1
        self.quiet_since_s = time.monotonic()

    async def until_idle(self, idle_s: float) -> None:
        """Return once no request has been in flight for `idle_s` seconds on end."""
        while True:
            quiet_s = 0.0 if self.in_flight else time.monotonic() - self.quiet_since_s
            if quiet_s >= idle_s:
                return
            await asyncio.sleep(idle_s - quiet_s)


class Doorkeeper:
    """Lets in who knows the token, and notes who is inside."""

    def __init__(self, app: ASGIApp, activity: Activity, token: str | None) -> None:
        self.app = app
        self.activity = activity
        self.password = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.activity:
            given = dict(scope["headers"]).get(b"authorization", b"")
            if self.password is None or hmac.compare_digest(given, self.password):
                await self.app(scope, receive, send)
            else:
                await PlainTextResponse("Unauthorized", 401)(scope, receive, send)


class OwnerOnly(H11Protocol):
    """HTTP that hangs up on other users, as far as the kernel names them."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        peer = peer_uid(transport.get_extra_info("socket"))
        if peer is not None and peer != os.getuid():
            transport.abort()


def peer_uid(connection: socket.socket) -> int | None:
    """User at the other end of a Unix socket; None where the kernel does not tell."""
    if not hasattr(socket, "SO_PEERCRED") or connection.family != socket.AF_UNIX:
        return None
    credentials = connection.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
    )
    _pid, uid, _gid = struct.unpack("3i", credentials)
    return uid


class EventStream(StreamingResponse):
    """Server-sent events. A client that vanishes closes the generator of them at once."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[str, None]) -> None:
        super().__init__(events)
        self.events = events

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self.events):
            await super().stream_response(send)


async def events(desk: Asked, request: InfillRequest, client: str) -> AsyncGenerator[str, None]:
    """The answer in our own protocol, what went wrong included."""
    try:
        async with aclosing(desk.words(request, client)) as words:
            async for word in words:
                yield wire.to_event(word)
    except EngineError as error:
        yield wire.to_event(error)


async def _word(http_request: Request, read: Callable[[bytes], Word]) -> Word:
    """What a request carries. Raises HTTPException with one sentence if it cannot be read."""
    try:
        return read(await http_request.body())
    except ValueError as error:
        raise HTTPException(400, str(error)) from error


def own_routes(desk: Asked) -> list[Route]:
    """Our own protocol, see `engine.wire`."""

    async def health(_: Request) -> Response:
        if trouble := desk.trouble():
            return JSONResponse({"status": "error", "pid": os.getpid(), "message": trouble}, 503)
        return JSONResponse({"status": "ok", "pid": os.getpid()})

    async def info(_: Request) -> Response:
        return Response(wire.to_json(desk.info), media_type="application/json")

    async def infill(http_request: Request) -> Response:
        request = await _word(http_request, wire.request_from_json)
        client = http_request.headers.get(wire.CLIENT_HEADER, "")
        return EventStream(events(desk, request, client))

    async def look_through(http_request: Request) -> Response:
        request = await _word(http_request, wire.survey_request_from_json)
        found = await asyncio.to_thread(survey, request)
        return Response(wire.to_json(found), media_type="application/json")

    async def index(http_request: Request) -> Response:
        change = await _word(http_request, wire.workspace_change_from_json)
        return JSONResponse({"files": await desk.index(change)})

    return [
        Route("/health", health),
        Route("/v1/info", info),
        Route("/v1/infill", infill, methods=["POST"]),
        Route("/v1/survey", look_through, methods=["POST"]),
        Route("/v1/workspace", index, methods=["POST"]),
    ]


def serve(meeting: Rendezvous, load: Callable[[], Infiller], idle_s: float) -> None:
    """Be the engine of this rendezvous until nobody has asked for anything for `idle_s` seconds.

    load    called once the place is ours; what it raises leaves nothing behind. The socket
            appears after it, so a client that can connect has a loaded engine.

    Returns at once when another process is the engine here.
    """
    try:
        with meeting.lock().acquire(timeout=LOCK_PATIENCE_S):
            signal.signal(signal.SIGTERM, lambda _, __: sys.exit(0))  # so that `finally` runs
            engine = load()
            gc.freeze()  # what was loaded stays, and takes 80 ms to look through
            listener, token = meeting.listen()
            try:
                asyncio.run(_serve(engine, listener, token, idle_s))
            finally:
                meeting.withdraw()
    except Timeout:
        log.warning("An engine for this checkpoint is running already.")


async def _serve(
    engine: Infiller, listener: socket.socket, token: str | None, idle_s: float
) -> None:
    activity = Activity()
    config = uvicorn.Config(
        Doorkeeper(Starlette(routes=own_routes(Desk(engine))), activity, token),
        http=OwnerOnly,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)

    async def end_when_idle() -> None:
        await activity.until_idle(idle_s)
        server.should_exit = True

    watch = asyncio.create_task(end_when_idle())
    await server.serve(sockets=[listener])
    watch.cancel()
