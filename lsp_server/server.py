"""The table of LSP methods, and the process around it.

Each handler takes what it needs from an immutable snapshot in its first statements, before the next
message is read, and is at most 15 lines. Whatever goes wrong with an inline completion, its answer
is a result: `[]` for "nothing here", null for "no longer wanted", never an error, which editors log
or pop up.
"""

import asyncio
import importlib
import logging
import os
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol

from engine import __version__
from lsp_server import context, render
from lsp_server.connection import BACK_OFF_S, Client, Connect, Connection, Status
from lsp_server.context import Site
from lsp_server.positions import Encoding, encode, place_at
from lsp_server.scheduler import Patience, Scheduler
from lsp_server.session import Session
from lsp_server.settings import Settings, parse

logger = logging.getLogger(__name__)

STATUS = "$/sfumato/status"
"""Our one notification. Emacs opens a window to warn of unknown ones, except under "$/"."""


class Protocol(LanguageServerProtocol):
    """pygls' protocol, which leaves a request that it cannot read without a reply."""

    def structure_message(self, data: dict[str, Any]) -> object:
        """Read a message; answer it here if it is a request with parameters of a wrong shape."""
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" in data and "method" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise


class SfumatoServer(LanguageServer):
    """pygls' server with a text store of our own, and nothing that pops up in the editor.

    The encoding of positions is the client's first choice among utf-8, utf-16 and utf-32.
    """

    def __init__(self, connect: Connect, back_off_s: tuple[float, ...] = BACK_OFF_S) -> None:
        super().__init__("sfumato", __version__, protocol_cls=Protocol)
        self.session = Session()
        self.settings = Settings()
        self.client_name = ""
        self.connection = Connection(connect, self.report, back_off_s)
        self.scheduler = Scheduler(self.connection.infill)

    def report(self, status: Status) -> None:
        """Tell the editor how the engine stands."""
        if not self.settings.enabled:
            status = Status("off", message="Suggestions are turned off in the settings.")
        self.protocol.notify(STATUS, asdict(status))

    def report_server_error(self, error: Exception, source: object) -> None:
        """Log, where pygls would show a message box."""
        logger.error("%s: %s", getattr(source, "__name__", source), error)

    def take_settings(self, raw: object) -> None:
        """Lay a client's settings over those in force; what is wrong with them goes to its log."""
        self.settings, problems = parse(raw, self.settings)
        for problem in problems:
            logger.warning("%s", problem)
            message = types.LogMessageParams(types.MessageType.Warning, problem)
            self.window_log_message(message)


def initialize(server: SfumatoServer, params: types.InitializeParams) -> None:
    """Before the reply: agree on what `character` counts, learn who asks. The engine must wait."""
    server.session = Session(Encoding(server.workspace.position_encoding or Encoding.Utf16))
    server.client_name = params.client_info.name if params.client_info else ""
    server.take_settings(params.initialization_options)


async def initialized(server: SfumatoServer, _: types.InitializedParams) -> None:
    """Look for the engine now, so that it is warm when first asked."""
    server.connection.wake()


def did_open(server: SfumatoServer, params: types.DidOpenTextDocumentParams) -> None:
    """Take over a document."""
    server.session.open(params.text_document)


def did_change(server: SfumatoServer, params: types.DidChangeTextDocumentParams) -> None:
    """Follow the editor's edits."""
    server.session.change(params.text_document, params.content_changes)


def did_close(server: SfumatoServer, params: types.DidCloseTextDocumentParams) -> None:
    """Forget a document."""
    server.session.close(params.text_document.uri)


def did_change_configuration(
    server: SfumatoServer, params: types.DidChangeConfigurationParams
) -> None:
    """Follow the user's settings."""
    server.take_settings(params.settings)
    server.report(server.connection.status)


async def inline_completion(
    server: SfumatoServer, params: types.InlineCompletionParams
) -> list[types.InlineCompletionItem] | None:
    """At most one suggestion at the cursor."""
    site = _site(server, params)
    try:
        fill = await _fill(server, site, params.context.trigger_kind) if site else ""
    except asyncio.CancelledError:
        return None  # by the client or by a newer request; both want a reply and no error
    except Exception:
        logger.exception("an inline completion failed")
        return []
    if site is None or not fill:
        return []
    selected = params.context.selected_completion_info
    return [render.item(fill, site, selected, server.session.encoding)]


def _site(server: SfumatoServer, params: types.InlineCompletionParams) -> Site | None:
    """Where the suggestion would go, with the popup's selected entry (if any) already in place."""
    snapshot = server.session.snapshot(params.text_document.uri)
    if snapshot is None or not server.settings.allows(snapshot.uri, snapshot.language):
        return None
    at = partial(place_at, snapshot.lines, encoding=server.session.encoding)
    site = Site(snapshot.uri, snapshot.language, snapshot.lines, at(params.position))
    selected = params.context.selected_completion_info
    if selected is None:
        return site
    return site.replaced(at(selected.range.start), at(selected.range.end), encode(selected.text))


async def _fill(
    server: SfumatoServer, site: Site, trigger: types.InlineCompletionTriggerKind
) -> str:
    """The text to suggest, "" for none. Asked by hand, it waits for nothing and may go anywhere."""
    invoked = trigger == types.InlineCompletionTriggerKind.Invoked
    if not invoked and not context.wanted(site):
        server.scheduler.drop()
        return ""
    settings = server.settings
    debounce_ms = 0 if invoked else settings.debounce_for(server.client_name)
    max_lines = context.lines_allowed(site, invoked, settings.max_lines)
    return await server.scheduler.fill(
        site,
        Patience(debounce_ms, settings.deadline_ms),
        lambda budget_ms: context.build_request(site, max_lines, budget_ms),
    )


def build_server(connect: Connect, back_off_s: tuple[float, ...] = BACK_OFF_S) -> SfumatoServer:
    """A server with every method in place that reaches its engine through `connect`.

    pygls' own handlers of open, change and close are taken out: its text store ends lines at form
    feeds and U+2028 too, so incremental edits corrupt such files.
    """
    server = SfumatoServer(connect, back_off_s)
    handlers = cast("dict[str, object]", server.protocol.fm.builtin_features)
    for method in (
        types.TEXT_DOCUMENT_DID_OPEN,
        types.TEXT_DOCUMENT_DID_CHANGE,
        types.TEXT_DOCUMENT_DID_CLOSE,
    ):
        del handlers[method]
    server.feature(types.INITIALIZE)(initialize)
    server.feature(types.INITIALIZED)(initialized)
    server.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    server.feature(types.TEXT_DOCUMENT_DID_CHANGE)(did_change)
    server.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)
    server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(did_change_configuration)
    # Without the options object pygls does not advertise it.
    inline = types.InlineCompletionOptions()
    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, inline)(inline_completion)
    return server


async def _connect(model: Path | None) -> Client:
    # Imported here, on a thread: the HTTP client takes a fifth of a second, and initialize must not
    # wait for it.
    client = await asyncio.to_thread(importlib.import_module, "engine.client")
    return await client.EngineClient.connect(model)


def serve_stdio(model: Path | None) -> None:
    """Serve one editor over stdin and stdout until it says exit or hangs up."""
    run_stdio(build_server(partial(_connect, model)))


def serve_tcp(host: str, port: int, model: Path | None) -> None:
    """Serve one editor over TCP, for debugging; there is no password."""
    _log_to_stderr()
    build_server(partial(_connect, model)).start_tcp(host, port)


def run_stdio(server: SfumatoServer) -> None:
    """Run a server on stdin and stdout.

    Whatever else writes to stdout, here or in a child process, goes to stderr instead.
    """
    _log_to_stderr()
    wire = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    server.start_io(stdout=wire)


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
