"""The real language server over stdio, with a scripted engine in the place of the real client.

Run as a program with one argument, a JSON object:

    {"fill": TEXT}         every hole is filled with TEXT
    {"echo": true}         ... with a digest of the text the engine was sent
    {"hold": true}         no answer ever comes
    {"down": SENTENCE}     there is no engine, for this reason; the second attempt finds one
"""

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from engine import Draft, EngineUnreachable, InfillRequest, Suggestion
from lsp_server.connection import Client, Connect
from lsp_server.server import build_server, run_stdio
from tests.support.scripted_client import ScriptedClient, always, suggestion


def digest(text: bytes) -> str:
    """A name for a text that fits into a line of code."""
    return "h" + hashlib.sha256(text).hexdigest()[:16]


def _echo(request: InfillRequest) -> Sequence[Draft | Suggestion]:
    return [suggestion(digest(request.text))]


def _connect(script: dict[str, Any]) -> Connect:
    attempts = 0

    async def connect() -> Client:
        nonlocal attempts
        attempts += 1
        print("noise")  # must not reach the wire
        os.write(1, b"more noise\n")
        if "down" in script and attempts == 1:
            raise EngineUnreachable(script["down"])
        client = ScriptedClient(_echo if "echo" in script else always(script.get("fill", "filled")))
        return client if "hold" in script else client.run_freely()

    return connect


if __name__ == "__main__":
    run_stdio(build_server(_connect(json.loads(sys.argv[1])), back_off_s=(0.0,)))
