"""What stands before the routes: keys, rates, how much at once, how large. Counts what passes."""

import math
import time
from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import urlsplit

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.endpoints.access import Keys
from engine.endpoints.errors import ApiError
from engine.endpoints.metrics import Metrics

NOBODY = "local"
"""The client's name where no key is asked for."""

CLIENT: ContextVar[str] = ContextVar("client", default=NOBODY)
"""Who asks, for whoever answers and is interested."""

_OPEN = ("/health",)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be asked.

    per_minute      requests of one client
    at_once         requests of one client in flight
    in_all          requests of all clients in flight, those that wait for their turn included
    body_bytes      of one request
    """

    per_minute: int = 600
    at_once: int = 8
    in_all: int = 128
    body_bytes: int = 4 * 2**20


class Guard:
    """Lets in who has a key and keeps to the limits; the app behind it sees no other request.

    Without keys whoever reaches the socket may ask, as long as they name this machine as the host
    and are no page of another: so what a browser shows cannot ask, by this machine's name or by one
    of its own that leads here.

    paths  what is counted under its own name; what else strangers ask for is no label
    """

    def __init__(
        self, app: ASGIApp, paths: frozenset[str], keys: Keys, limits: Limits, metrics: Metrics
    ) -> None:
        self._app = app
        self._paths = paths
        self._keys = keys
        self._limits = limits
        self._metrics = metrics
        self._rate = RateLimitItemPerMinute(limits.per_minute)
        self._counted = MovingWindowRateLimiter(MemoryStorage())
        self._busy: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _OPEN:
            await self._app(scope, receive, send)
            return
        request, client = Request(scope), "unknown"
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            client = self._client(request)
            self._demand_room(client, request)
            await self._pass(client, scope, _bounded(receive, self._limits.body_bytes), noted)
        except ApiError as error:
            await error.response(scope["path"])(scope, receive, noted)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.requests.labels(path, status, client).inc()

    async def _pass(self, client: str, scope: Scope, receive: Receive, send: Send) -> None:
        CLIENT.set(client)
        self._busy[client] += 1
        try:
            with self._metrics.in_flight.track_inprogress():
                await self._app(scope, receive, send)
        finally:
            self._busy[client] -= 1
            self._busy += Counter()  # forgets who is at zero

    def _client(self, request: Request) -> str:
        if not self._keys:
            if not _is_here(f"//{request.headers.get('host', '')}"):
                raise ApiError("Ask for this server by the name localhost.", 421)
            if not _is_here(request.headers.get("origin", "//localhost")):
                raise ApiError("Pages of other sites may not ask here without a key.", 403)
            return NOBODY
        client = self._keys.client(request.headers.get("authorization", ""))
        if client is None:
            raise ApiError(
                "No known API key was given; send it as Authorization: Bearer KEY.",
                401,
                "authentication_error",
                code="invalid_api_key",
            )
        return client

    def _demand_room(self, client: str, request: Request) -> None:
        """Raise ApiError where a limit is reached already."""
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._limits.body_bytes:
            raise _too_large(self._limits.body_bytes)
        if self._busy[client] >= self._limits.at_once:
            raise _too_many(f"{self._limits.at_once} of your requests are being answered", 1)
        if sum(self._busy.values()) >= self._limits.in_all:
            raise ApiError(
                "The engine has too much to do; ask again in a moment.",
                503,
                "server_error",
                code="engine_overloaded",
                retry_after_s=1,
            )
        if not self._counted.hit(self._rate, client):
            free_s = self._counted.get_window_stats(self._rate, client).reset_time - time.time()
            wait_s = max(math.ceil(free_s), 1)
            raise _too_many(f"You asked {self._limits.per_minute} times in a minute", wait_s)


def _is_here(url: str) -> bool:
    """Does a URL name this machine?"""
    try:
        return urlsplit(url).hostname in _LOOPBACK
    except ValueError:
        return False


def _too_many(found: str, wait_s: int) -> ApiError:
    return ApiError(
        f"{found}; ask again in {wait_s} s.",
        429,
        "rate_limit_error",
        code="rate_limit_reached",
        retry_after_s=wait_s,
    )


def _too_large(limit: int) -> ApiError:
    return ApiError(f"The body has more than {limit} bytes.", 413, code="body_too_large")


def _bounded(receive: Receive, limit: int) -> Receive:
    """Receive a body as long as it has no more bytes than it may, whatever its header said."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _too_large(limit)
        return message

    return bounded
