"""The real language server over stdio, with a scripted engine in the place of the real client.

Run as a program whose one argument is a JSON object; others, such as `--model`, are passed over:

    {"fill": TEXT}         every hole is filled with TEXT
    {"fills": {KEY: TEXT}} ... with the TEXT whose KEY stands nearest in front of it
    {"echo": true}         ... with a digest of the text the engine was sent
    {"hold": true}         no answer ever comes
    {"down": SENTENCE}     there is no engine, for this reason; the second attempt finds one
    {"engine": FOLDER}     the real client finds or starts a process that plays the script in FOLDER
    {"port": NUMBER}       TCP in the place of stdio
"""

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from engine import Draft, EngineUnreachable, InfillRequest, Suggestion
from engine.client import EngineClient
from lsp_server.connection import Client, Connect
from lsp_server.server import build_server
from lsp_server.stdio import run_stdio, run_tcp
from tests.support.fake_editor import FakeEditor, Json, Message, initialize_params
from tests.support.scripted_client import Answer, ScriptedClient, always, suggestion
from tests.support.scripted_engine import PROGRAM

ROOT = Path(__file__).parents[2]


def digest(text: bytes) -> str:
    """A name for a text that fits into a line of code.

    It ends with z, so that only text that begins with z could be taken for a repetition of it.
    """
    return f"h{hashlib.sha256(text).hexdigest()[:16]}z"


def _echo(request: InfillRequest) -> Sequence[Draft | Suggestion]:
    return [suggestion(digest(request.text))]


def _by_key(fills: dict[str, str]) -> Answer:
    def answer(request: InfillRequest) -> Sequence[Draft | Suggestion]:
        before = request.text[: request.hole.start].decode()
        nearest = max(fills, key=before.rfind)
        return [suggestion(fills[nearest] if nearest in before else "")]

    return answer


def launch(folder: Path, params: Message | None = None, **script: Json) -> FakeEditor:
    """Start this program in a folder, with an editor at its other end."""
    program = [sys.executable, "-P", "-m", "tests.support.scripted_server"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder)}
    command = [*program, json.dumps(script)]
    return FakeEditor(command, folder, environment, params or initialize_params())


def _answer(script: dict[str, Any]) -> Answer:
    if "fills" in script:
        return _by_key(script["fills"])
    return _echo if "echo" in script else always(script.get("fill", "filled"))


def _connect(script: dict[str, Any]) -> Connect:
    if "engine" in script:
        return partial(EngineClient.connect, Path(script["engine"]), PROGRAM)
    attempts = 0

    async def connect() -> Client:
        nonlocal attempts
        attempts += 1
        print("noise")  # must not reach the wire
        os.write(1, b"more noise\n")
        if "down" in script and attempts == 1:
            raise EngineUnreachable(script["down"])
        client = ScriptedClient(_answer(script))
        return client if "hold" in script else client.run_freely()

    return connect


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    server = build_server(_connect(given), back_off_s=(0.0,))
    if "port" in given:
        run_tcp(server, "127.0.0.1", given["port"])
    else:
        run_stdio(server)
