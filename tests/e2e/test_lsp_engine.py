"""Editor, language server, engine: three processes, of which only the model is scripted."""

import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.fake_editor import FakeEditor
from tests.support.processes import LIMIT_S, corner
from tests.support.scripted_engine import Script, write_script
from tests.support.scripted_server import launch

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with corner(monkeypatch) as path:
        yield path


def connected(folder: Path, script: Script) -> FakeEditor:
    write_script(folder / "model", script)
    return launch(folder, engine=str(folder / "model"))


def test_a_suggestion_comes_all_the_way(folder: Path) -> None:
    with connected(folder, Script(answer="total(a)")) as editor:
        assert editor.status("idle")["model"] == "scripted"
        editor.open("x = $0\n")
        ghost = editor.ghost()
        assert ghost is not None
        editor.accept(ghost)
        assert editor.buffer == "x = total(a)\n"


def test_a_checkpoint_that_cannot_be_loaded_is_told_in_the_engines_words(folder: Path) -> None:
    sentence = "model.safetensors has another checksum than SHA256SUMS says; install it again."
    with connected(folder, Script(load_error=sentence)) as editor:
        assert sentence in editor.status("error")["message"]
        editor.open("x = $0\n")
        assert editor.ghost() is None


def test_a_crash_of_the_engine_costs_one_suggestion(folder: Path) -> None:
    with connected(folder, Script(answer="total(a)")) as editor:
        editor.status("idle")
        editor.open("crash = $0\n")
        assert editor.ghost() is None
        editor.status("error")
        editor.status("idle")  # another was started
        editor.open("x = $0\n")
        assert editor.ghost() is not None


def test_a_cancelled_request_stops_the_engine(folder: Path) -> None:
    gate, journal = folder / "gate", folder / "journal"
    for fifo in (gate, journal):
        os.mkfifo(fifo)
    leave, events = (os.open(fifo, os.O_RDWR) for fifo in (gate, journal))
    script = Script(answer="total(a)", gate=str(gate), journal=str(journal))
    with connected(folder, script) as editor:
        editor.status("idle")
        editor.open("x = $0\n")
        number = editor.ask()
        wait_for(b"request", events)
        editor.cancel(number)
        assert editor.reply(number) is None
        editor.status("idle")
        told = b""
        while b"closed" not in told:
            assert told.count(b"step") < 7  # of the eight it would take
            os.write(leave, b".")
            while select.select([events], [], [], 0.3)[0]:  # quiet: it waits for the next
                told += os.read(events, 4096)


def test_neither_server_nor_engine_has_a_line_to_another_machine(folder: Path) -> None:
    with connected(folder, Script(answer="total(a)")) as editor:
        editor.open("x = $0\n")
        editor.status("idle")
        assert editor.ghost() is not None
        ours = [each for each in psutil.Process().children(recursive=True) if _serves(each, folder)]
        assert len(ours) == 2
        assert [each.net_connections("inet") for each in ours] == [[], []]


def _serves(process: psutil.Process, folder: Path) -> bool:
    return any(str(folder) in argument for argument in process.cmdline())


def wait_for(event: bytes, journal: int) -> None:
    """Read the engine's journal until it tells of an event."""
    read = b""
    while event not in read:
        assert select.select([journal], [], [], LIMIT_S)[0], f"only {read!r} happened"
        read += os.read(journal, 4096)
