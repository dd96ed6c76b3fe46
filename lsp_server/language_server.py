"""One session with one editor: its documents, settings, engine and suggestions, in one object."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import cattrs
from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams, JsonRpcInvalidRequest
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.json_rpc import RPCMessage, RPCRequest

from engine import __version__
from engine.types import Draft, InfillRequest, Suggestion
from lsp_server import notebooks, statistics
from lsp_server.actions.history import EditHistory
from lsp_server.configuration import Configuration
from lsp_server.connection import BACK_OFF_S, Connect, Connection, Status
from lsp_server.context import Site
from lsp_server.inline import Suggester
from lsp_server.pace import Pace
from lsp_server.policy import Silence
from lsp_server.positions import place_at, position_of
from lsp_server.session import Session, Snapshot
from lsp_server.settings import Parsed
from lsp_server.workspace import WorkspaceIndex

logger = logging.getLogger(__name__)

STATUS = "$/sfumato/status"
"""How the engine stands. Emacs opens a window to warn of unknown notifications, except of "$/"."""
PREVIEW = "sfumato/preview"
"""Every draft, to those who asked for them."""


INLINE_EDITS = ("textDocument/copilotInlineEdit", "textDocument/inlineEdit")
"""Requests for the next edit, as clients send them today; there is no standard yet."""


@dataclass(frozen=True)
class InlineEditRequest:
    """A request for the next edit, as far as we read it."""

    id: int | str
    params: types.TextDocumentPositionParams
    method: str
    jsonrpc: str = "2.0"


class Protocol(LanguageServerProtocol):
    """pygls' protocol, which leaves requests without a reply that it cannot read, or gets late."""

    def handle_message(self, message: RPCMessage) -> None:
        """Hand a message on; refuse a request behind the one to shut down, as LSP asks."""
        if self._shutdown and isinstance(message, RPCRequest):
            error = JsonRpcInvalidRequest("The server has been told to shut down.")
            self._send_response(message.id, error=error.to_response_error())
        else:
            super().handle_message(message)

    def structure_message(self, data: dict[str, Any]) -> object:
        """Read a message; answer it here if it is a request with parameters of a wrong shape."""
        try:
            if data.get("method") in INLINE_EDITS and "id" in data:
                return self._inline_edit(data)
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" in data and "method" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise

    def _inline_edit(self, data: dict[str, Any]) -> InlineEditRequest:
        try:
            return self._converter.structure(data, InlineEditRequest)
        except (cattrs.BaseValidationError, TypeError, ValueError) as error:
            raise JsonRpcInvalidParams.of(error) from error


class SfumatoServer(LanguageServer):
    """pygls' server with a text store of our own, and nothing that pops up while the user types.

    The encoding of positions is the client's first choice among utf-8, utf-16 and utf-32.
    """

    def __init__(
        self,
        connect: Connect,
        back_off_s: tuple[float, ...] = BACK_OFF_S,
        statistics_file: Path | None = None,
    ) -> None:
        super().__init__(
            "sfumato", __version__, protocol_cls=Protocol, notebook_document_sync=notebooks.SYNC
        )
        self.session = Session()
        self.history = EditHistory()
        self.notebooks = notebooks.Notebooks()
        self.configuration = Configuration()
        self.client_name = ""
        self.pace = Pace(lambda: asyncio.get_running_loop().time())
        self.statistics = statistics.Statistics(statistics_file or statistics.path())
        self.connection = Connection(connect, self.report, back_off_s)
        self.index = WorkspaceIndex(self.connection.index, self.configuration.of)
        self.look_is_due = False
        self.suggester = Suggester(self.infill, self.preview, self.count)
        self._silence = Silence.NONE
        self._told: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def site(self, snapshot: Snapshot, position: types.Position) -> Site:
        """A cursor in a document; in a notebook it sees the other cells too."""
        above, below = self.notebooks.around(snapshot, self.session.snapshot)
        cursor = place_at(snapshot.lines, position, self.session.encoding)
        return Site(snapshot.uri, snapshot.language, snapshot.lines, cursor, above, below)

    def infill(self, request: InfillRequest) -> AsyncGenerator[Draft | Suggestion, None]:
        """Ask the engine, which may look in the workspace too."""
        if self.index.is_edited_beside(request.file):
            self.begin(self.index.send_edited(request.file))
        return self.connection.infill(replace(request, workspace=self.index.name))

    def report(self, status: Status) -> None:
        """Tell the editor how the engine stands, and why nothing was shown if nothing was."""
        if not self.configuration.general.enabled:
            status = Status("off", message="Suggestions are turned off in the settings.")
        elif status.broken:
            self.tell_once(status.message)
        status = replace(status, silence=self._silence)
        self.protocol.notify(STATUS, asdict(status))

    def explained(self, silence: Silence) -> Silence:
        """Say in the status why the last request got nothing, if that is news; returns why."""
        if silence != self._silence:
            self._silence = silence
            self.report(self.connection.status)
        return silence

    def preview(self, site: Site, draft: Draft | Suggestion) -> None:
        """Send a draft to an editor that wants to draw it, unless its text has changed since."""
        snapshot = self.session.snapshot(site.uri)
        if snapshot is None or snapshot.lines is not site.lines:
            return
        if not self.configuration.of(site.uri).live_preview:
            return
        done = isinstance(draft, Suggestion)
        position = position_of(site.lines, site.cursor, self.session.encoding)
        self.protocol.notify(
            PREVIEW,
            {
                "uri": site.uri,
                "version": snapshot.version,
                "position": position,
                "text": draft.text,
                "masked": 0 if done else draft.masked,
                "done": done,
            },
        )

    def count(self, event: str, characters: int) -> None:
        """Keep count of suggestions, unless the user would rather not."""
        if self.configuration.general.keep_statistics:
            self.statistics.count(event, characters)

    def waited(self, spent_ms: float) -> None:
        """Likewise of how long they took."""
        if self.configuration.general.keep_statistics:
            self.statistics.waited(spent_ms)

    def complain(self, parsed: Parsed) -> None:
        """Tell what was left out of the settings: the user what is wrong, the log what is unknown.

        Another program's settings may be among what a client sends, and are no mistake.
        """
        for sentence in parsed.wrong:
            self.tell_once(sentence)
        for sentence in parsed.unknown:
            logger.warning("%s", sentence)
            self.window_log_message(types.LogMessageParams(types.MessageType.Warning, sentence))

    def tell_once(self, sentence: str) -> None:
        """Show a message box, for what only the user can mend; never the same one twice."""
        if sentence not in self._told:
            self._told.add(sentence)
            logger.warning("%s", sentence)
            message = types.ShowMessageParams(types.MessageType.Warning, sentence)
            self.window_show_message(message)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what a notification needs done; handlers of notifications themselves never wait.

        pygls keeps the task of an asynchronous one for ever.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s", error, exc_info=error)

    @property
    def tasks(self) -> list[asyncio.Task[Any]]:
        """Everything under way, for whoever wants to see that nothing was left behind."""
        jobs = [task for scheduler in self.suggester.schedulers for task in scheduler.tasks]
        return [*jobs, *self._tasks]

    def report_server_error(self, error: Exception, source: object) -> None:
        """Log, where pygls would show a message box."""
        logger.error("%s: %s", getattr(source, "__name__", source), error)


async def offer(
    server: SfumatoServer, method: str, answer: Callable[..., object], options: object
) -> None:
    """Answer a method from now on, and tell the client, which said it can be told."""
    if method not in server.protocol.fm.features:
        server.feature(method)(answer)
        await register(server, method, options)


async def register(server: SfumatoServer, method: str, options: object) -> None:
    """Offer a method after initialize, to a client that said it can be told."""
    registration = types.Registration(str(uuid4()), method, options)
    try:
        await server.client_register_capability_async(types.RegistrationParams([registration]))
    except JsonRpcException as error:
        logger.warning("the editor did not register %s: %s", method, error)
