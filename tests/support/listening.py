"""A process that listens for others, with a scripted engine."""

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

import httpx

from tests.support.processes import LIMIT_S

KEY = "a-key-for-this-test"
HEADERS = {"Authorization": f"Bearer {KEY}"}
_PROGRAM = (sys.executable, "-P", str(Path(__file__).with_name("scripted_engine.py")))


@contextmanager
def listening(model: Path, *options: str) -> Generator[int, None, None]:
    """The port it listens on, once it does. Its one key is KEY, and is not in what it says."""
    with create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    address = f"localhost:{port}"
    process = subprocess.Popen(
        [*_PROGRAM, "--listen", address, "--model", str(model), *options],
        env={**os.environ, "SFUMATO_API_KEYS": f"ann:{KEY}"},
        stderr=subprocess.PIPE,
    )
    scheme = "https" if "--certfile" in options else "http"
    try:
        _wait_for(f"{scheme}://localhost:{port}/health", process)
        yield port
    finally:
        process.terminate()
        _, told = process.communicate(timeout=LIMIT_S)
    assert KEY not in told.decode()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    over = time.monotonic() + LIMIT_S
    while time.monotonic() < over:
        assert process.poll() is None
        try:
            httpx.get(url, verify=False)  # noqa: S501 - whether there is an answer is all
        except httpx.ConnectError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nobody answers at {url}")
