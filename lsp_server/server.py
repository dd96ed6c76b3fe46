"""The table of LSP methods, and the process around it.

Each handler takes what it needs from an immutable snapshot in its first statements, before the next
message is read, and is short. Those of notifications never wait: what they begin runs beside them.
"""

import asyncio
import importlib
import logging
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import cast

from lsprotocol import types

from lsp_server import completion, indexing, render, sync
from lsp_server.actions import handlers as actions
from lsp_server.connection import BACK_OFF_S, Client, Connect
from lsp_server.language_server import SfumatoServer
from lsp_server.stdio import run_stdio, run_tcp

STATISTICS = "sfumato/statistics"
"""Our one request: what was shown and accepted on this machine."""

_SYNC: dict[str, Callable[..., None]] = {
    types.INITIALIZE: sync.initialize,
    types.INITIALIZED: sync.initialized,
    types.SHUTDOWN: sync.shutdown,
    types.TEXT_DOCUMENT_DID_OPEN: sync.did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: sync.did_change,
    types.TEXT_DOCUMENT_DID_CLOSE: sync.did_close,
    types.NOTEBOOK_DOCUMENT_DID_OPEN: sync.notebook_did_open,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE: sync.notebook_did_change,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE: sync.notebook_did_close,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: sync.did_change_configuration,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: sync.did_change_folders,
    types.WORKSPACE_DID_CHANGE_WATCHED_FILES: indexing.disk_changed,
    types.TEXT_DOCUMENT_DID_SAVE: indexing.disk_changed,
}
_OWN_STORE = (
    types.TEXT_DOCUMENT_DID_OPEN,
    types.TEXT_DOCUMENT_DID_CHANGE,
    types.TEXT_DOCUMENT_DID_CLOSE,
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE,
)
"""Methods that pygls would handle before us, with a text store that ends lines at form feeds and
U+2028 too, so that incremental edits corrupt such files."""


def statistics(server: SfumatoServer, _: object) -> dict[str, float | None]:
    """What `sfumato stats` prints, for an editor to show."""
    return asdict(server.statistics.summary())


def build_server(
    connect: Connect,
    back_off_s: tuple[float, ...] = BACK_OFF_S,
    statistics_file: Path | None = None,
) -> SfumatoServer:
    """A server with every method in place that reaches its engine through `connect`."""
    server = SfumatoServer(connect, back_off_s, statistics_file)
    handlers = cast("dict[str, object]", server.protocol.fm.builtin_features)
    for method in _OWN_STORE:
        del handlers[method]
    for method, handler in _SYNC.items():
        server.feature(method)(handler)
    # Without the options object pygls does not advertise it.
    inline = types.InlineCompletionOptions()
    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, inline)(completion.inline_completion)
    server.feature(STATISTICS)(statistics)
    server.command(render.ACCEPTED)(completion.accepted)
    actions.offer(server)
    return server


async def _connect(model: Path | None) -> Client:
    # Imported here, on a thread: the HTTP client takes a fifth of a second, and initialize must not
    # wait for it.
    client = await asyncio.to_thread(importlib.import_module, "engine.client")
    return await client.EngineClient.connect(model)


def serve_stdio(model: Path | None) -> None:
    """Serve one editor over stdin and stdout until it says exit or hangs up."""
    _log_to_stderr()
    run_stdio(build_server(partial(_connect, model)))


def serve_tcp(host: str, port: int, model: Path | None) -> None:
    """Serve one editor over TCP, for debugging; there is no password."""
    _log_to_stderr()
    run_tcp(build_server(partial(_connect, model)), host, port)


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
