"""The wire itself: bytes that come in pieces, an editor that goes without a word, late requests."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lsp_server.statistics import read
from tests.support.fake_editor import initialize_params
from tests.support.scripted_server import ROOT, launch

LIMIT_S = 60
EXIT = {"method": "exit"}
SHUTDOWN = {"id": 2, "method": "shutdown"}
INITIALIZE = {"id": 1, "method": "initialize", "params": initialize_params()}

PLACE = {
    "textDocument": {"uri": "file:///ws/a.py"},
    "position": {"line": 0, "character": 0},
    "context": {"triggerKind": 2},
}

OPEN = {
    "method": "textDocument/didOpen",
    "params": {
        "textDocument": {"uri": "file:///ws/a.py", "languageId": "python", "version": 1, "text": ""}
    },
}
ASK = {"id": 4, "method": "textDocument/inlineCompletion", "params": PLACE}
CHANGE = {
    "method": "textDocument/didChange",
    "params": {
        "textDocument": {"uri": "file:///ws/a.py", "version": 2},
        "contentChanges": [{"text": "import this\n"}],
    },
}

Spawn = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Starts servers whose engine fills every hole with "filled"."""
    command = [sys.executable, "-P", "-m", "tests.support.scripted_server"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path)}
    pipe = subprocess.PIPE
    with ExitStack() as servers:
        yield lambda **script: servers.enter_context(
            subprocess.Popen(
                [*command, json.dumps(script)],
                0,
                cwd=tmp_path,
                env=environment,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
            )
        )


def framed(*messages: dict[str, Any]) -> bytes:
    """Messages as they stand on the wire."""
    bodies = (json.dumps({"jsonrpc": "2.0"} | message).encode() for message in messages)
    return b"".join(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) for body in bodies)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_messages_may_come_in_pieces_and_together(spawn: Spawn, size: int) -> None:
    server, sent = spawn(), framed(INITIALIZE, SHUTDOWN, EXIT)
    assert server.stdin is not None
    for start in range(0, len(sent), size):
        server.stdin.write(sent[start : start + size])
    output, log = server.communicate(timeout=LIMIT_S)
    assert output.count(b"Content-Length") == 2
    assert server.returncode == 0, log


@pytest.mark.parametrize("cut", [0, 1, 30])
def test_an_editor_that_hangs_up_ends_the_server(spawn: Spawn, cut: int) -> None:
    server, sent = spawn(), framed(INITIALIZE)
    _, log = server.communicate(sent[: len(sent) - cut], timeout=LIMIT_S)
    assert server.returncode == 0
    assert b"Traceback" not in log


def test_an_exit_without_a_shutdown_is_a_failure(spawn: Spawn) -> None:
    server = spawn()
    server.communicate(framed(INITIALIZE, EXIT), timeout=LIMIT_S)
    assert server.returncode == 1


def test_a_request_behind_the_shutdown_is_refused(spawn: Spawn) -> None:
    server = spawn()
    late = {"id": 3, "method": "textDocument/inlineCompletion", "params": PLACE}
    output, _ = server.communicate(framed(INITIALIZE, SHUTDOWN, late, EXIT), timeout=LIMIT_S)
    assert b"-32600" in output.rpartition(b"Content-Length")[2]


def test_what_was_counted_outlives_an_editor_that_goes_without_a_word(tmp_path: Path) -> None:
    editor = launch(tmp_path)
    editor.status("idle")
    editor.open("x = $0\n")
    assert editor.ghost(invoked=True) is not None
    editor.hang_up()
    assert read(tmp_path / "sfumato" / "statistics.json")["shown"] == 1


def test_a_request_is_about_the_text_as_it_was_though_a_change_came_along(spawn: Spawn) -> None:
    output, _ = spawn().communicate(
        framed(
            INITIALIZE, {"method": "initialized", "params": {}}, OPEN, ASK, CHANGE, SHUTDOWN, EXIT
        ),
        timeout=LIMIT_S,
    )
    assert b'"id": 4, "jsonrpc": "2.0", "result": null' in output


def test_a_request_that_is_withdrawn_at_once_gets_a_result(spawn: Spawn) -> None:
    cancel = {"method": "$/cancelRequest", "params": {"id": 4}}
    output, _ = spawn().communicate(
        framed(INITIALIZE, OPEN, ASK, cancel, SHUTDOWN, EXIT), timeout=LIMIT_S
    )
    assert b'"id": 4' in output
    assert b"error" not in output


def test_over_tcp_it_is_the_same(spawn: Spawn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = spawn(port=port)
    with connected(port) as wire:
        wire.sendall(framed(INITIALIZE, OPEN, ASK, CHANGE, SHUTDOWN, EXIT))
        output = b"".join(iter(lambda: wire.recv(2**16), b""))
    assert b'"id": 4, "jsonrpc": "2.0", "result": null' in output
    assert server.wait(LIMIT_S) == 0


def test_over_tcp_an_editor_that_hangs_up_ends_the_server(spawn: Spawn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = spawn(port=port)
    with connected(port) as wire:
        wire.sendall(framed(INITIALIZE)[:-1])
    assert server.wait(LIMIT_S) == 0


def connected(port: int) -> socket.socket:
    """A line to a server that is about to listen."""
    until = time.monotonic() + LIMIT_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.05)
