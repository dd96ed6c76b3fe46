"""HTTP over a Unix socket: answers, errors, and requests that are dropped in any instant."""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.unix_http import UnixTransport

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(sys.platform == "win32", reason="there are no Unix sockets"),
]

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def asked(path: Path, serve: Serve, seconds: float = 5) -> httpx.Response:
    """The answer of a server to one request; the server has ended by then."""
    served = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)
        writer.close()
        served.set()

    async with await asyncio.start_unix_server(handle, path):
        try:
            async with httpx.AsyncClient(transport=UnixTransport(str(path))) as client:
                return await client.get("http://here/", timeout=seconds)
        finally:
            await served.wait()


async def test_an_answer_is_read_to_its_end(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)

    assert (await asked(tmp_path / "s", serve)).content == b"x" * 100_000


async def test_nobody_there_is_a_connect_error(tmp_path: Path) -> None:
    async with httpx.AsyncClient(transport=UnixTransport(str(tmp_path / "none"))) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://here/")


async def test_silence_is_a_timeout(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del writer
        await reader.read()

    with pytest.raises(httpx.ReadTimeout):
        await asked(tmp_path / "s", serve, seconds=0.01)


async def test_a_request_dropped_as_its_answer_comes_leaves_nothing_behind(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    key, keyboard = socket.socketpair()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        keyboard.send(b"k")  # both are there when the loop looks next, the key first
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    with key, keyboard:
        task = asyncio.create_task(asked(tmp_path / "s", serve))
        loop.add_reader(key, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        loop.remove_reader(key)
    assert complaints == []
