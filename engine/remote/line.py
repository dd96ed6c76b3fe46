"""An open line to a server: requests begin, are listened to, and are hung up on.

The engine is pulled step by step from one thread and may be dropped between two steps, also while
nothing comes. So HTTP has an event loop in a thread of its own, where dropping a request is
cancelling a task: the connection closes at once, and a server that sees that stops its work.
"""

import asyncio
import os
import ssl
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from queue import Empty, SimpleQueue

import httpx

from engine.errors import EndpointError
from engine.remote.dialects import Event, Json
from engine.remote.endpoint import Endpoint
from engine.remote.trouble import Trouble, of_status, of_transport

_CONNECT_S = 5.0
_KEPT_S = 30.0
"""For which a connection is kept for the next request: one to a far server takes long to make."""
_LINGER_S = 2.0
"""For which an answer that is heard may go on to its end: only then is its connection kept."""


def _trusted() -> ssl.SSLContext:
    """Whose certificates are accepted. Raises EndpointError where SSL_CERT_FILE has none."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError too
        named = os.environ.get("SSL_CERT_FILE")
        raise EndpointError(f"SSL_CERT_FILE is {named}, of no use as one: {error}.") from error


def _client(endpoint: Endpoint, key: str) -> httpx.AsyncClient:
    """Raises EndpointError where what the environment says of certificates or proxies is no use."""
    trusted = _trusted()
    try:
        return httpx.AsyncClient(
            base_url=endpoint.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(None, connect=_CONNECT_S),
            limits=httpx.Limits(keepalive_expiry=_KEPT_S),
            verify=trusted,
            trust_env=not endpoint.is_local,  # no proxy for this machine's own servers
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        reason = str(error).rstrip(".")
        raise EndpointError(f"The proxy in the environment is of no use: {reason}.") from error


class Line:
    """To one server, with its key; connections are kept for the next request."""

    def __init__(self, endpoint: Endpoint, key: str) -> None:
        self._http = _client(endpoint, key)
        self._endpoint = endpoint
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="http", daemon=True)
        self._thread.start()

    def ask(self, path: str, body: Json) -> "Reply":
        """Begin a request."""
        heard: SimpleQueue[Event | Trouble | None] = SimpleQueue()
        listening = asyncio.run_coroutine_threadsafe(self._listen(path, body, heard), self._loop)
        return Reply(heard, listening, self._loop)

    async def _listen(
        self, path: str, body: Json, heard: SimpleQueue[Event | Trouble | None]
    ) -> None:
        try:
            async with self._response(path, body) as response:
                if not response.is_success:
                    said = (await response.aread()).decode(errors="replace")
                    heard.put(of_status(self._endpoint, response, said))
                    return
                async for event in _events(response):
                    heard.put(event)
            heard.put(None)
        except httpx.HTTPError as error:
            heard.put(of_transport(self._endpoint, error))
        except Exception as error:  # noqa: BLE001 - whoever listens would wait in vain
            heard.put(Trouble(f"the request failed ({type(error).__name__}: {error})"))

    @asynccontextmanager
    async def _response(self, path: str, body: Json) -> AsyncGenerator[httpx.Response]:
        """A response whose head is there.

        A server may close a kept connection in the instant in which it is used again, so whoever
        hangs up without a word is asked once more.
        """
        request = self._http.build_request("POST", path, json=body)
        try:
            response = await self._http.send(request, stream=True)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            response = await self._http.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    def close(self) -> None:
        """Hang up for good."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _hang_up(self) -> None:
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._http.aclose()


class Reply:
    """A request under way."""

    def __init__(
        self,
        heard: SimpleQueue[Event | Trouble | None],
        request: Future[None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._heard = heard
        self._request = request
        self._loop = loop

    def next(self, timeout_s: float) -> Event | Trouble | None:
        """What comes next; None at the end. Raises TimeoutError if nothing does in time."""
        try:
            return self._heard.get(timeout=timeout_s)
        except Empty:
            raise TimeoutError from None

    def drop(self) -> None:
        """Want no more of it: hang up."""
        self._request.cancel()

    def let_end(self) -> None:
        """Want no more of it, but let it end by itself, which takes a moment."""
        self._loop.call_soon_threadsafe(self._loop.call_later, _LINGER_S, self._request.cancel)


async def _events(response: httpx.Response) -> AsyncIterator[Event]:
    """Server-sent events; a body of another kind is one event.

    As specified, but for the joining of several data lines, which none of these servers sends.
    """
    if "text/event-stream" not in response.headers.get("Content-Type", ""):
        yield Event("", (await response.aread()).decode(errors="replace"))
        return
    name = ""
    async for line in _lines(response):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field in {"data", "error"}:  # llama.cpp's older servers write `error: {...}`
            yield Event(name if field == "data" else "error", value)
        elif not line:
            name = ""


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    """Lines that end where an event stream's do: httpx ends them at U+2028 and U+0085 too."""
    kept = b""
    async for data in response.aiter_bytes():
        *whole, kept = (kept + data).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode(errors="replace")
    if kept:
        yield kept.decode(errors="replace")
