"""An editor without a screen: it keeps its own copy of the text, types, and accepts suggestions.

It applies edits itself, by its own arithmetic, so a disagreement with the server shows in `buffer`.
It waits for messages, never for time. Leaving it asserts that each request got one reply, that all
were read, and that the server ended well.
"""

import json
import queue
import re
import subprocess
import threading
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Self

import psutil

Json = Any
"""Whatever JSON can hold."""
Message = dict[str, Json]

LIMIT_S = 60.0
"""Bound of every wait; none is expected to come near it."""

CLIENTS = Path(__file__).with_name("clients")
"""The initialize parameters that real editors sent, one file each."""

_LINE_END = re.compile(r"\r\n|\r|\n")
_CODEC = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}


def initialize_params(encoding: str = "utf-16", **options: Json) -> Message:
    """Of a plain client that counts in `encoding`; `options` are its initializationOptions.

    The deadline is long: a busy machine must not turn an answer into none.
    """
    general = {"positionEncodings": [encoding]}
    return {
        "processId": None,
        "rootUri": None,
        "capabilities": {"general": general},
        "initializationOptions": {"deadline_ms": 10_000} | options,
    }


def rich_params(**options: Json) -> Message:
    """Of a client that can do what actions make use of; `options` as in `initialize_params`."""
    params = initialize_params(**options)
    params["capabilities"] |= {
        "workspace": {"workspaceEdit": {"documentChanges": True, "changeAnnotationSupport": {}}},
        "window": {"workDoneProgress": True},
        "textDocument": {"codeAction": {"resolveSupport": {"properties": ["edit"]}}},
    }
    return params


class FakeEditor:
    """One editor with one document, connected to a server process.

    buffer     the document's text
    cursor     an index into it
    applied    edits of the whole workspace that the server had it apply, or that were resolved
    progress   what the server told of its progress
    shown      sentences in message boxes
    impatient  whether it cancels whatever shows a progress, at once
    refuses    methods of the server's requests that it answers with an error
    """

    def __init__(
        self, command: Sequence[str], cwd: Path, environment: dict[str, str], params: Message
    ) -> None:
        self.buffer = ""
        self.cursor = 0
        self.uri = ""
        self.applied: list[Message] = []
        self.progress: list[Message] = []
        self.shown: list[str] = []
        self.impatient = False
        self.refuses: tuple[str, ...] = ()
        self._log_path = cwd / "server.log"
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._inbox: queue.Queue[Message | None] = queue.Queue()
        self._replies: dict[int, Message] = {}
        self._pending: set[int] = set()
        self._statuses: list[Message] = []
        self._version = 0
        self._last_id = 0
        threading.Thread(target=self._listen, daemon=True).start()
        self.server: Message = self.reply(self.request("initialize", params))
        self._encoding: str = self.server["capabilities"].get("positionEncoding", "utf-16")
        self.notify("initialized", {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._process:  # closes its pipes
            if kind is not None:
                self._process.kill()
            else:
                self.close()

    @property
    def log(self) -> str:
        """What the server wrote to stderr so far."""
        return self._log_path.read_text()

    @property
    def server_mb(self) -> float:
        """Resident memory of the server process."""
        return psutil.Process(self._process.pid).memory_info().rss / 2**20

    def open(self, text: str, language: str = "python", uri: str = "file:///ws/a.py") -> None:
        """Open a document; `$0` in it, if there, is the cursor and not part of the text."""
        before, _, after = text.partition("$0")
        self.buffer, self.cursor, self.uri = before + after, len(before), uri
        self._version = 1
        item = {"uri": uri, "languageId": language, "version": 1, "text": self.buffer}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def move(self, pattern: str) -> None:
        """Put the cursor behind the first match of a regular expression."""
        found = re.search(pattern, self.buffer)
        assert found is not None, f"{pattern!r} is not in the buffer"
        self.cursor = found.end()

    def type(self, text: str) -> None:
        """Type at the cursor, one change for each character."""
        for mark in text:
            self.edit(self.cursor, self.cursor, mark)

    def edit(self, start: int, end: int, text: str) -> None:
        """Replace a part of the buffer, given by indices, and leave the cursor behind it."""
        span = {"start": self.position(start), "end": self.position(end)}
        self.buffer = self.buffer[:start] + text + self.buffer[end:]
        self.cursor = start + len(text)
        self._version += 1
        self.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": self.uri, "version": self._version},
                "contentChanges": [{"range": span, "text": text}],
            },
        )

    def replace(self, edit: Message) -> None:
        """Make an edit that the server proposed for some range."""
        start, end = (self._index(edit["range"][side]) for side in ("start", "end"))
        self.edit(start, end, edit["text"])

    def ask(self, invoked: bool = False) -> int:
        """Ask for a suggestion at the cursor; returns the request's number."""
        return self.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": self.uri},
                "position": self.position(self.cursor),
                "context": {"triggerKind": 1 if invoked else 2},
            },
        )

    def ghost(self, invoked: bool = False) -> Message | None:
        """The suggestion at the cursor, None if there is none."""
        items: list[Message] = self.reply(self.ask(invoked))
        assert invoked or len(items) <= 1
        return items[0] if items else None

    def accept(self, item: Message) -> None:
        """Put a suggestion into the buffer, as an editor does."""
        first, last = item["range"]["start"], item["range"]["end"]
        assert first["line"] == last["line"], "the range of an inline item lies in one line"
        start, end = self._index(first), self._index(last)
        text = item["insertText"]
        assert text.startswith(self.buffer[start : self.cursor]), "what is typed is kept"
        if "\r\n" in self.buffer:
            text = text.replace("\n", "\r\n")
        self.edit(start, end, text)

    def menu(self, start: int, end: int, invoked: bool = True, **context: Json) -> list[Message]:
        """The code actions for a part of the buffer, given by indices."""
        span = {"start": self.position(start), "end": self.position(end)}
        context = {"diagnostics": [], "triggerKind": 1 if invoked else 2} | context
        document = {"uri": self.uri}
        params = {"textDocument": document, "range": span, "context": context}
        return self.reply(self.request("textDocument/codeAction", params))

    def choose(self, action: Message) -> Message:
        """Have the edit of a code action made, and apply it; returns the action with it."""
        if "command" in action:
            command = action["command"]
            self.command(command["command"], *command["arguments"])
            return action
        resolved: Message = self.reply(self.request("codeAction/resolve", action))
        if "edit" in resolved:
            self._apply(resolved["edit"])
        return resolved

    def command(self, name: str, *arguments: Json) -> Json:
        """Run one of the server's commands; returns what it answers."""
        params = {"command": name, "arguments": list(arguments)}
        return self.reply(self.request("workspace/executeCommand", params))

    def cancel(self, number: int) -> None:
        """Withdraw a request; it still gets a reply."""
        self.notify("$/cancelRequest", {"id": number})

    def request(self, method: str, params: Json) -> int:
        """Send a request; returns its number, for `reply`."""
        self._last_id += 1
        self._pending.add(self._last_id)
        self._send({"id": self._last_id, "method": method, "params": params})
        return self._last_id

    def notify(self, method: str, params: Json) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def reply(self, number: int) -> Json:
        """The result of a request; an error fails the test."""
        while number not in self._replies:
            self._receive()
        message = self._replies.pop(number)
        assert "error" not in message, message["error"]
        return message["result"]

    def refusal(self, number: int) -> Message:
        """The error that a request got."""
        while number not in self._replies:
            self._receive()
        error: Message = self._replies.pop(number)["error"]
        return error

    def status(self, state: str) -> Message:
        """Wait until the server reports a state; returns that report and forgets those before."""
        while True:
            while self._statuses:
                status = self._statuses.pop(0)
                if status["state"] == state:
                    return status
            self._receive()

    def close(self) -> None:
        """Say goodbye, and check that nothing was left unsaid."""
        assert self.reply(self.request("shutdown", None)) is None
        self.notify("exit", None)
        assert self._process.wait(LIMIT_S) == 0, self.log
        while (message := self._inbox.get(timeout=LIMIT_S)) is not None:
            self._file(message)
        assert not self._pending, f"no reply to {self._pending}"
        assert not self._replies, f"nobody read {self._replies}"

    def hang_up(self) -> None:
        """Go without a word, and wait for the server to end."""
        self._process.communicate(timeout=LIMIT_S)

    def position(self, index: int) -> Message:
        """The LSP position of an index into the buffer."""
        line_start, line = 0, 0
        for end in _LINE_END.finditer(self.buffer):
            if end.end() > index:
                break
            line_start, line = end.end(), line + 1
        codec = _CODEC[self._encoding]
        units = len(self.buffer[line_start:index].encode(codec)) // len("a".encode(codec))
        return {"line": line, "character": units}

    def _index(self, position: Message) -> int:
        starts = [0, *(end.end() for end in _LINE_END.finditer(self.buffer))]
        line_start = starts[int(position["line"])]
        codec = _CODEC[self._encoding]
        rest = self.buffer[line_start:].encode(codec)
        before = rest[: position["character"] * len("a".encode(codec))]
        return line_start + len(before.decode(codec))

    def _send(self, message: Message) -> None:
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0"} | message).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            while (message := _read(self._process.stdout)) is not None:
                self._inbox.put(message)
        finally:
            self._inbox.put(None)

    def _receive(self) -> None:
        message = self._inbox.get(timeout=LIMIT_S)
        assert message is not None, f"the server hung up: {self.log}"
        self._file(message)

    def _apply(self, edit: Message) -> None:
        """Apply a workspace edit to the buffer, its parts from the last on."""
        self.applied.append(edit)
        edits: list[Message] = edit.get("changes", {}).get(self.uri, [])
        for document in edit.get("documentChanges", []):
            assert document["textDocument"] == {"uri": self.uri, "version": self._version}
            edits = document["edits"]
        spans = [
            (self._index(e["range"]["start"]), self._index(e["range"]["end"]), e["newText"])
            for e in edits
        ]
        assert all(one[1] <= next_[0] for one, next_ in pairwise(sorted(spans))), "they overlap"
        for start, end, text in sorted(spans, reverse=True):
            self.edit(start, end, text)

    def _answer(self, message: Message) -> None:
        """Do what the server asks for."""
        if message["method"] in self.refuses:
            error = {"code": -32603, "message": "The editor has a bug"}
            self._send({"id": message["id"], "error": error})
            return
        result: Json = None
        if message["method"] == "workspace/applyEdit":
            self._apply(message["params"]["edit"])
            result = {"applied": True}
        self._send({"id": message["id"], "result": result})

    def _note(self, message: Message) -> None:
        """Keep what the server told."""
        method, params = message["method"], message["params"]
        if method == "$/sfumato/status":
            self._statuses.append(params)
        elif method == "window/showMessage":
            self.shown.append(params["message"])
        elif method == "$/progress":
            self.progress.append(params["value"])
            if self.impatient and params["value"]["kind"] == "begin":
                self.notify("window/workDoneProgress/cancel", {"token": params["token"]})

    def _file(self, message: Message) -> None:
        if "method" not in message:
            assert message["id"] in self._pending, f"an unasked reply: {message}"
            self._pending.remove(message["id"])
            self._replies[message["id"]] = message
        elif "id" in message:
            self._answer(message)
        else:
            self._note(message)


def _read(stream: IO[bytes]) -> Message | None:
    """The next message; None at the end. Anything but framed JSON-RPC raises."""
    length = 0
    while header := stream.readline():
        if header == b"\r\n":
            return json.loads(stream.read(length))
        name, _, value = header.partition(b":")
        assert name in (b"Content-Length", b"Content-Type"), f"not JSON-RPC: {header!r}"
        if name == b"Content-Length":
            length = int(value)
    return None
