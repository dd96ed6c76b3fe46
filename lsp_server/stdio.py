"""Stdin and stdout as the wire: one thread reads whatever arrives, and does only that.

pygls would hand each header line and each body to a pool of threads, a dozen changes of thread
between a key and its reply.
"""

import asyncio
import logging
import os
import sys
from contextlib import suppress
from threading import Event, Thread
from typing import BinaryIO

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
    try:
        asyncio.run(_serve(server, sys.stdin.fileno(), wire))
    except (BrokenPipeError, asyncio.IncompleteReadError):
        logger.warning("the editor has gone")
    finally:
        server.statistics.save()
        server.shutdown()


async def _serve(server: SfumatoServer, source: int, wire: BinaryIO) -> None:
    server.protocol.set_writer(StdoutWriter(wire))
    reader = asyncio.StreamReader()
    # A daemon, so that nothing waits for an editor that has said exit and keeps the pipe open.
    listening = (source, reader, asyncio.get_running_loop())
    Thread(target=_listen, args=listening, name="stdin", daemon=True).start()
    await run_async(Event(), reader, server.protocol, logger, server.report_server_error)


def _listen(source: int, reader: asyncio.StreamReader, loop: asyncio.AbstractEventLoop) -> None:
    with suppress(RuntimeError):  # the loop has ended
        while chunk := os.read(source, CHUNK_BYTES):
            loop.call_soon_threadsafe(reader.feed_data, chunk)
        loop.call_soon_threadsafe(reader.feed_eof)
