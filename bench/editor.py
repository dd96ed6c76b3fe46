"""An editor without a screen: the real language server, as a user's editor would drive it."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from lsprotocol import types
from pygls.lsp.client import LanguageClient

from engine import EngineError, __version__
from lsp_server.language_server import STATUS

_COMMAND = (sys.executable, "-P", "-m", "lsp_server.cli", "lsp")


class Editor:
    """A client of `sfumato lsp` with documents of ASCII text, kept as lines.

    Asks without debounce, so that what is measured is the way through server and engine, and is
    shown all that is found: what is kept back is typed through unseen.
    """

    def __init__(self, client: LanguageClient) -> None:
        """Callers use `editor`."""
        self._client = client
        self._lines: dict[str, list[str]] = {}
        self._version = 0

    def open(self, uri: str, text: str) -> None:
        """Open a Python document."""
        self._lines[uri] = text.split("\n")
        item = types.TextDocumentItem(uri, "python", self._next_version(), text)
        self._client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def lines(self, uri: str) -> list[str]:
        """A document as it stands."""
        return self._lines[uri]

    def replace(self, uri: str, row: int, start: int, end: int, text: str) -> None:
        """Exchange a part of one line for a text without line breaks."""
        line = self._lines[uri][row]
        self._lines[uri][row] = line[:start] + text + line[end:]
        span = types.Range(types.Position(row, start), types.Position(row, end))
        document = types.VersionedTextDocumentIdentifier(self._next_version(), uri)
        change = types.TextDocumentContentChangePartial(span, text)
        self._client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    async def ask(
        self,
        uri: str,
        row: int,
        trigger: types.InlineCompletionTriggerKind = types.InlineCompletionTriggerKind.Automatic,
    ) -> tuple[str, float]:
        """What is suggested at the end of a line, "" for nothing, and milliseconds to the reply."""
        column = len(self._lines[uri][row])
        params = types.InlineCompletionParams(
            types.InlineCompletionContext(trigger),
            types.TextDocumentIdentifier(uri),
            types.Position(row, column),
        )
        began = time.perf_counter()
        reply = await self._client.text_document_inline_completion_async(params)
        spent_ms = (time.perf_counter() - began) * 1000
        items = reply.items if isinstance(reply, types.InlineCompletionList) else reply or []
        if not items:
            return "", spent_ms
        assert items[0].range is not None
        assert isinstance(items[0].insert_text, str)
        return items[0].insert_text[column - items[0].range.start.character :], spent_ms

    def _next_version(self) -> int:
        self._version += 1
        return self._version


@asynccontextmanager
async def editor(model: Path) -> AsyncGenerator[Editor, None]:
    """Start a language server, wait until it has an engine, and end the server at the end."""
    client = LanguageClient("sfumato-bench", __version__)
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @client.feature(STATUS)  # pyright: ignore[reportUntypedFunctionDecorator]
    def status(_: LanguageClient, params: object) -> None:  # pyright: ignore[reportUnusedFunction]
        state, message = getattr(params, "state", ""), getattr(params, "message", "")
        if state == "idle" and not ready.done():
            ready.set_result(None)
        if state == "error" and not ready.done():
            ready.set_exception(EngineError(message))

    with tempfile.TemporaryDirectory() as folder:
        await client.start_io(*_COMMAND, "--model", str(model), cwd=folder)
        options = {"debounce_ms": 0, "deadline_ms": 500, "min_chance_percent": 0}
        await client.initialize_async(
            types.InitializeParams(
                capabilities=types.ClientCapabilities(), initialization_options=options
            )
        )
        client.initialized(types.InitializedParams())
        try:
            await ready
            yield Editor(client)
        finally:
            await client.shutdown_async(None)
            client.exit(None)
            await client.stop()
