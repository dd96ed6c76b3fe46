"""An editor in the same process as the server, on the same event loop, for tests in virtual time.

Its messages pass through JSON as those of a real one do. It keeps no copy of the text's positions:
its documents are ASCII, its cursors are given as lines and columns.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lsp_server.connection import Client
from lsp_server.language_server import SfumatoServer
from lsp_server.server import build_server
from tests.support.scripted_client import Answer, ScriptedClient
from tests.support.virtual_time import run

Json = Any
Message = dict[str, Json]

LIMIT_S = 120.0
"""Of virtual time, for whatever is waited for."""


@dataclass
class Document:
    """What the editor knows of a document it has open.

    behind  the version before the edits of this turn of the loop, in which a reply may be underway
    """

    text: str
    version: int = 1
    behind: int = 1

    def catch_up(self) -> None:
        self.behind = self.version


@dataclass
class Pending:
    """A request without a reply yet, and the document and its version when it was made."""

    document: Document | None
    version: int
    cancelled: bool = False


@dataclass
class Reply:
    """The reply to a request, and whether the document was still as it was."""

    message: Message
    pending: Pending
    fresh: bool


class LocalEditor:
    """Sends messages to a server and keeps every one it gets.

    engine     the scripted engine behind the server
    folder     the workspace's, None for no workspace
    questions  requests of the server that are still to be answered, with `answer`
    """

    def __init__(self, answer: Answer, folder: Path) -> None:
        self.engine = ScriptedClient(answer)
        self.server: SfumatoServer = build_server(
            self._connect, back_off_s=(0.0,), statistics_file=folder / "statistics.json"
        )
        self.server.protocol.set_writer(self, include_headers=False)
        self.documents: dict[str, Document] = {}
        self.pending: dict[int, Pending] = {}
        self.replies: dict[int, Reply] = {}
        self.questions: list[Message] = []
        self.notifications: list[Message] = []
        self.capabilities: Message = {}
        self.folder: str | None = None
        self._arrived = asyncio.Event()
        self._last_id = 0

    async def start(self, capabilities: Message | None = None, **options: Json) -> Self:
        """Shake hands; `options` are the initializationOptions."""
        params = {
            "processId": None,
            "rootUri": self.folder,
            "capabilities": capabilities or {},
            "initializationOptions": {"min_chance_percent": 0} | options,
        }
        reply = await self.reply(self.request("initialize", params))
        self.capabilities = reply["capabilities"]
        self.notify("initialized", {})
        await self.settle()
        return self

    def write(self, data: bytes) -> None:
        """Called by the server with a message to the editor."""
        message: Message = json.loads(data)
        if "method" in message:
            (self.questions if "id" in message else self.notifications).append(message)
            return
        pending = self.pending.pop(message["id"])  # KeyError: a second reply, or to nobody
        document = pending.document
        fresh = document is None or document.behind == pending.version
        self.replies[message["id"]] = Reply(message, pending, fresh)
        self._arrived.set()

    def close(self) -> None:
        """Called by the server when it hangs up."""

    def open(self, uri: str, text: str, language: str = "python") -> None:
        self.documents[uri] = Document(text)
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def shut(self, uri: str) -> None:
        document = self.documents.pop(uri)
        document.version = 0
        asyncio.get_running_loop().call_soon(document.catch_up)
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def edit(self, uri: str, start: int, end: int, text: str) -> None:
        """Replace characters `start` up to `end` of a document."""
        document = self.documents[uri]
        span = {"start": _position(document.text, start), "end": _position(document.text, end)}
        document.text = document.text[:start] + text + document.text[end:]
        document.version += 1
        asyncio.get_running_loop().call_soon(document.catch_up)
        self.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": uri, "version": document.version},
                "contentChanges": [{"range": span, "text": text}],
            },
        )

    def ask(self, uri: str, index: int, invoked: bool = False, selected: Json = None) -> int:
        """Ask for a suggestion at a character of a document; returns the request's number."""
        context = {"triggerKind": 1 if invoked else 2, "selectedCompletionInfo": selected}
        params = {
            "textDocument": {"uri": uri},
            "position": _position(self.documents[uri].text, index),
            "context": context,
        }
        return self.request("textDocument/inlineCompletion", params, uri)

    async def ghosts(self, uri: str, index: int, invoked: bool = False) -> list[str] | None:
        """The texts suggested at a character of a document; None for a null."""
        items = await self.reply(self.ask(uri, index, invoked))
        return None if items is None else [item["insertText"] for item in items]

    def request(self, method: str, params: Json, uri: str = "") -> int:
        self._last_id += 1
        document = self.documents.get(uri)
        self.pending[self._last_id] = Pending(document, document.version if document else 0)
        self._send({"id": self._last_id, "method": method, "params": params})
        return self._last_id

    def cancel(self, number: int) -> None:
        if number in self.pending:
            self.pending[number].cancelled = True
        self.notify("$/cancelRequest", {"id": number})

    def notify(self, method: str, params: Json) -> None:
        self._send({"method": method, "params": params})

    def answer(self, question: Message, result: Json) -> None:
        """Answer a request of the server."""
        self.questions.remove(question)
        self._send({"id": question["id"], "result": result})

    async def reply(self, number: int) -> Json:
        """The result of a request; an error fails the test."""
        async with asyncio.timeout(LIMIT_S):
            while number not in self.replies:
                self._arrived.clear()
                await self._arrived.wait()
        message = self.replies.pop(number).message
        assert "error" not in message, message
        return message["result"]

    async def settle(self) -> None:
        """Let everything run that waits for neither time nor the engine's leave."""
        for _ in range(20):
            await asyncio.sleep(0)

    def told(self, method: str) -> list[Json]:
        """The parameters of the notifications of one method so far."""
        return [each["params"] for each in self.notifications if each["method"] == method]

    async def _connect(self) -> Client:
        return self.engine

    def _send(self, message: Message) -> None:
        body = json.dumps({"jsonrpc": "2.0"} | message)
        structure = self.server.protocol.structure_message
        self.server.protocol.handle_message(json.loads(body, object_hook=structure))


def _position(text: str, index: int) -> Message:
    line = text.count("\n", 0, index)
    return {"line": line, "character": index - (text.rfind("\n", 0, index) + 1)}


Script = Callable[["LocalEditor"], Awaitable[None]]


def play(folder: Path, answer: Answer, script: Script, held: bool = False, **options: Json) -> None:
    """Run a script in an editor whose engine answers freely, unless it is to be `held`."""

    async def session() -> None:
        editor = await LocalEditor(answer, folder).start(**options)
        if not held:
            editor.engine.run_freely()
        await script(editor)

    run(session())


def silence(editor: LocalEditor) -> str:
    """Why the last request got nothing, as the status says."""
    return editor.told("$/sfumato/status")[-1]["silence"]
