"""HTTP over a Unix socket in asyncio's own streams, so that a request can be dropped at any moment.

What httpx takes by itself, anyio's sockets (4.16), logs an InvalidStateError where the first byte
of an answer comes in the instant in which its reader is cancelled. Keys often overtake requests.
"""

import asyncio
from collections.abc import Generator, Iterable
from contextlib import contextmanager

import httpcore
import httpx


class UnixTransport(httpx.AsyncHTTPTransport):
    """To the server at a socket's path, with a connection per request.

    It costs microseconds, and a server may close an idle one just when it is used again.
    """

    def __init__(self, path: str) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            uds=path,
            max_connections=None,
            max_keepalive_connections=0,
            network_backend=_Sockets(),
        )


class _Sockets(httpcore.AsyncNetworkBackend):
    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        del socket_options
        with _said_as(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                return _Stream(*await asyncio.open_unix_connection(path))


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _said_as(httpcore.ReadTimeout, httpcore.ReadError):
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _said_as(httpcore.WriteTimeout, httpcore.WriteError):
            self._writer.write(buffer)
            async with asyncio.timeout(timeout):
                await self._writer.drain()

    async def aclose(self) -> None:
        self._writer.close()


@contextmanager
def _said_as(late: type[Exception], broken: type[Exception]) -> Generator[None]:
    """What goes wrong, in the words that httpcore uses for it."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise broken(str(error)) from error
