"""The command line, run as a user runs it, on what it cannot work with and on what it can."""

import asyncio
import hashlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.client import EngineClient
from tests.support.processes import LIMIT_S, corner
from tests.support.scripted_engine import PROGRAM, Script, write_script

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with corner(monkeypatch) as path:
        yield path


@pytest.fixture
def model(folder: Path) -> Path:
    """A checkpoint folder that a scripted engine serves already, as if a command had started it."""
    write_script(folder / "model", Script(answer="name"))
    asyncio.run(_start(folder / "model"))
    return folder / "model"


async def _start(model: Path) -> None:
    await (await EngineClient.connect(model, PROGRAM)).close()


def sfumato(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "lsp_server.cli", *arguments],
        capture_output=True,
        timeout=2 * LIMIT_S,
        check=False,
    )


def assert_refused(ran: subprocess.CompletedProcess[bytes], sentence: str) -> None:
    """Status 2, nothing on stdout, one line on stderr with this in it."""
    complaint = ran.stderr.decode()
    assert sentence in complaint
    assert complaint.count("\n") == 1
    assert (ran.returncode, ran.stdout) == (2, b"")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"caf\xe9 $0\n", "is not UTF-8 (byte 0xe9 at 3)"),
        (b"\x7fELF\0\0 $0", "is binary (a zero byte at 4)"),
        (b"", "has no $0 in it"),
        (b"print()\n", "has no $0 in it"),
    ],
)
def test_a_file_that_cannot_be_filled(folder: Path, content: bytes, sentence: str) -> None:
    file = folder / "a.py"
    file.write_bytes(content)
    assert_refused(sfumato("fill", file), sentence)


def test_a_folder_where_a_file_should_be(folder: Path) -> None:
    assert_refused(sfumato("fill", folder), "is a folder")


def test_a_file_that_is_not_there(folder: Path) -> None:
    assert_refused(sfumato("fill", folder / "no.py"), "There is no file")


def test_a_cursor_beyond_the_end(folder: Path) -> None:
    file = folder / "a.py"
    file.write_text("x = 1\n")
    assert_refused(sfumato("fill", file, "--at", "9:1"), "Line 9 is beyond the end of")
    assert_refused(sfumato("fill", file, "--at", "1:9"), "Column 9 is beyond the end of line 1")


def test_a_bad_file_among_good_ones_changes_nothing(folder: Path) -> None:
    good, bad = folder / "good.py", folder / "bad.py"
    good.write_text("x = $0\n")
    bad.write_bytes(b"\xff$0")
    assert_refused(sfumato("fill", good, bad), "bad.py is not UTF-8")


def test_a_checkpoint_that_is_missing(folder: Path) -> None:
    file = folder / "a.py"
    file.write_text("x = $0\n")
    ran = sfumato("fill", file, "--model", folder / "nowhere")
    assert_refused(ran, "There is no checkpoint in")


def test_a_checkpoint_that_lacks_a_file(folder: Path) -> None:
    file, model = folder / "a.py", folder / "model"
    file.write_text("x = $0\n")
    model.mkdir()
    (model / "SHA256SUMS").write_text(f"{'0' * 64}  model.safetensors\n")
    assert_refused(sfumato("fill", file, "--model", model), "lacks model.safetensors")


@pytest.mark.parametrize("found", [b"weig", b"Weights"], ids=["truncated", "altered"])
def test_a_checkpoint_whose_weights_differ_from_their_sum(folder: Path, found: bytes) -> None:
    file, model = folder / "a.py", folder / "model"
    file.write_text("x = $0\n")
    model.mkdir()
    digest = hashlib.sha256(b"weights").hexdigest()
    (model / "SHA256SUMS").write_text(f"{digest}  model.safetensors\n")
    (model / "model.safetensors").write_bytes(found)
    assert_refused(sfumato("fill", file, "--model", model), "is truncated or altered")


def test_every_marker_is_filled_and_the_rest_stays_as_it_was(folder: Path, model: Path) -> None:
    file = folder / "a.py"
    file.write_bytes("\ufeffx = f($0, ä$0)\r\n\tend".encode())
    ran = sfumato("fill", file, "--model", model)
    assert ran.stdout == "\ufeffx = f(name, äname)\r\n\tend".encode()
    assert b"2 holes: 2 valid" in ran.stderr
    assert ran.returncode == 0


def test_watching_shows_every_step(folder: Path, model: Path) -> None:
    file = folder / "a.py"
    file.write_text("x = $0\n")
    shown = sfumato("fill", file, "--watch", "--model", model).stdout.decode()
    steps = [row.split("│")[1].strip() for row in shown.splitlines() if "│" in row]
    assert steps == ["x = n░░░", "x = na░░", "x = nam░", "x = name"]
    assert "4 tokens in 4 forward passes" in shown


@pytest.mark.parametrize(
    ("name", "content", "at"),
    [
        ("empty.py", b"", "1:1"),
        ("long.py", b"x = 1\n" * 50_000, "25000:5"),
        ("wide.py", b"x" * 1_000_000, "1:500000"),
        ("notes.unknown", b"hello \n", "1:7"),
        ("no_suffix", b"hello \n", "1:7"),
    ],
)
def test_unusual_files_are_filled(
    folder: Path, model: Path, name: str, content: bytes, at: str
) -> None:
    file = folder / name
    file.write_bytes(content)
    ran = sfumato("fill", file, "--at", at, "--model", model)
    assert (ran.returncode, len(ran.stdout)) == (0, len(content) + len(b"name"))


def test_what_the_engine_refuses_is_said(folder: Path, model: Path) -> None:
    file = folder / "a.py"
    file.write_text("# too long\nx = $0\n")
    ran = sfumato("fill", file, "--model", model)
    assert (ran.returncode, ran.stderr) == (1, b"sfumato: The text is too long.\n")


def test_the_doctor_says_what_is_missing(folder: Path) -> None:
    ran = sfumato("doctor", "--model", folder / "nowhere")
    assert ran.returncode == 1
    assert b"missing" in ran.stdout
    assert b"Traceback" not in ran.stderr


def test_a_reader_that_leaves_early_is_no_error(folder: Path, model: Path) -> None:
    file = folder / "a.py"
    file.write_bytes(b"$0\n" + b"x = 1\n" * 50_000)
    with subprocess.Popen(
        [sys.executable, "-m", "lsp_server.cli", "fill", file, "--model", model],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as ran:
        assert ran.stdout is not None
        assert ran.stderr is not None
        assert ran.stdout.readline() == b"name\n"
        ran.stdout.close()
        assert b"Traceback" not in ran.stderr.read()
