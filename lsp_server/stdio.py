"""The wire: stdin and stdout, or a socket. Messages are handled one by one.

pygls would hand each header line and each body from stdin to a pool of threads, a dozen changes of
thread between a key and its reply. From a socket it would handle all that has arrived before any
handler begins, which would then find a later text than it was asked about.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from contextlib import suppress
from threading import Event, Thread
from typing import Any, BinaryIO

from pygls.io_ import StdoutWriter, run_async

from lsp_server.language_server import SfumatoServer

CHUNK_BYTES = 2**16

logger = logging.getLogger(__name__)


def run_stdio(server: SfumatoServer) -> None:
    """Run a server until the editor says exit, which raises SystemExit, or hangs up.

    Whatever else writes to stdout, here or in a child process, goes to stderr instead.
    """
    wire = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _run(server, _serve(server, sys.stdin.fileno(), wire))


def run_tcp(server: SfumatoServer, host: str, port: int) -> None:
    """Run a server for the one editor that connects there, likewise."""
    _run(server, _serve_tcp(server, host, port))


def _run(server: SfumatoServer, serving: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(serving)
    except (ConnectionError, asyncio.IncompleteReadError):
        logger.warning("the editor has gone")
    finally:
        server.statistics.save()
        server.shutdown()


class _OneByOne:
    """A stream whose next line is read when what the line before set going has begun."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream

    async def readline(self) -> bytes:
        await asyncio.sleep(0)
        return await self._stream.readline()

    async def readexactly(self, n: int) -> bytes:
        return await self._stream.readexactly(n)


async def _serve(server: SfumatoServer, source: int, wire: BinaryIO) -> None:
    server.protocol.set_writer(StdoutWriter(wire))
    stream = asyncio.StreamReader()
    # A daemon, so that nothing waits for an editor that has said exit and keeps the pipe open.
    listening = (source, stream, asyncio.get_running_loop())
    Thread(target=_listen, args=listening, name="stdin", daemon=True).start()
    await _speak(server, stream)


async def _serve_tcp(server: SfumatoServer, host: str, port: int) -> None:
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.protocol.set_writer(writer)  # pyright: ignore[reportArgumentType] - as pygls does
        try:
            ended.set_result(await _speak(server, reader))
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            ended.set_exception(error)

    async with await asyncio.start_server(connected, host, port):
        await ended


async def _speak(server: SfumatoServer, stream: asyncio.StreamReader) -> None:
    reader = _OneByOne(stream)
    await run_async(Event(), reader, server.protocol, logger, server.report_server_error)


def _listen(source: int, stream: asyncio.StreamReader, loop: asyncio.AbstractEventLoop) -> None:
    with suppress(RuntimeError):  # the loop has ended
        while chunk := os.read(source, CHUNK_BYTES):
            loop.call_soon_threadsafe(stream.feed_data, chunk)
        loop.call_soon_threadsafe(stream.feed_eof)
