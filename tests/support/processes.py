"""A private corner for engine processes in a test: they meet there, and end with the test."""

import asyncio
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psutil
import pytest

from tests.support.scripted_engine import Script, write_script

LIMIT_S = 30.0
"""Bound of every wait in these tests; none is expected to come near it."""


@contextmanager
def corner(monkeypatch: pytest.MonkeyPatch) -> Generator[Path, None, None]:
    """An empty folder whose `run` is this user's runtime folder. Short: a socket goes in there."""
    with tempfile.TemporaryDirectory(prefix="sf") as name:
        folder = Path(name)
        (folder / "run").mkdir(mode=0o700)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
        try:
            yield folder
        finally:
            end_processes(folder)


def end_processes(folder: Path) -> None:
    """Kill the engines that serve a model in this folder."""
    for process in psutil.process_iter(["cmdline"]):
        arguments: list[str] = process.info["cmdline"] or []
        if any(argument.startswith(f"{folder}/") for argument in arguments):
            process.kill()
            process.wait(LIMIT_S)


class Gated:
    """A scripted engine that waits for leave before each step and tells what it does.

    Inside `async with` it can be given leave and be listened to.
    """

    def __init__(self, folder: Path, answer: str) -> None:
        self.model = folder / "model"
        gate, journal = folder / "gate", folder / "journal"
        for fifo in (gate, journal):
            os.mkfifo(fifo)
        write_script(self.model, Script(answer=answer, gate=str(gate), journal=str(journal)))
        self._gate = os.open(gate, os.O_RDWR)
        self._journal = os.fdopen(os.open(journal, os.O_RDWR), "rb", buffering=0)
        self._events = asyncio.StreamReader()

    async def __aenter__(self) -> Self:
        protocol = asyncio.StreamReaderProtocol(self._events)
        loop = asyncio.get_running_loop()
        self._pipe, _ = await loop.connect_read_pipe(lambda: protocol, self._journal)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pipe.close()  # and with it the journal, when the loop next turns
        await asyncio.sleep(0)
        os.close(self._gate)

    def allow_steps(self, count: int) -> None:
        os.write(self._gate, b"." * count)

    async def next_event(self) -> str:
        async with asyncio.timeout(LIMIT_S):
            return (await self._events.readline()).decode().strip()
