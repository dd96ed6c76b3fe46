"""`sfumato train`, `eval` and `tokenizer`, as a user runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine import checkpoint
from engine.tokenizer import Tokenizer
from lsp_server.cli import main
from tests.support.processes import LIMIT_S
from tests.support.tiny_model import source_code

SMALL = (
    *("--vocabulary", "320", "--width", "64", "--layers", "1"),
    *("--chunks", "2", "--tokens", "256", "--threads", "1"),
)
UNCOMPILED = {"PATH": str(Path(sys.executable).parent)}
"""No compiler is found there: compiling takes a minute, and what is learned is the same."""


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in UNCOMPILED.items():
        monkeypatch.setenv(name, value)


def sfumato(*arguments: str | Path, prelude: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, after some Python."""
    program = f"{prelude}\nimport runpy\nrunpy.run_module('lsp_server.cli', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=4 * LIMIT_S,
        check=False,
        env=os.environ | UNCOMPILED,  # also where a fixture for many tests runs it
    )


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    for n in range(6):
        (folder / f"{n}.py").write_text(source_code(20, seed=n))
    return folder


@pytest.fixture(scope="module")
def run(code: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained for a second."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    ran = sfumato("train", code, "--out", folder, "--minutes", "0.02", *SMALL)
    assert ran.returncode == 0, ran.stderr
    assert str(folder / "checkpoint") in ran.stdout
    return folder


def test_a_run_leaves_a_checkpoint_and_its_curve(run: Path) -> None:
    found = checkpoint.load(run / "checkpoint")
    assert (found.tokenizer.size, found.context_tokens) == (320, 256)
    rows = [json.loads(line) for line in (run / "curve.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] > 0
    assert (run / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_is_taken_up_again_without_its_sources(run: Path) -> None:
    before = json.loads((run / "curve.jsonl").read_text().splitlines()[-1])
    ran = sfumato("train", "--out", run, "--minutes", "0.03", *SMALL)
    assert ran.returncode == 0, ran.stderr
    assert f"resumed at step {before['step']}" in ran.stdout
    after = json.loads((run / "curve.jsonl").read_text().splitlines()[-1])
    assert after["step"] > before["step"]


def test_a_trained_model_is_measured(run: Path, code: Path, tmp_path: Path) -> None:
    report = tmp_path / "scores.json"
    arguments = ("--model", run / "checkpoint", "--items", "1", "--json", report)
    ran = sfumato("eval", code, *arguments)
    assert ran.returncode == 0, ran.stderr
    facts = json.loads(report.read_text())
    assert {score["kind"] for score in facts["scores"]} == {
        "rest-of-line",
        "whole-line",
        "multi-line",
        "random-span",
        "in-brackets",
    }
    assert facts["canvas_loss_nats"] > 0
    assert "whole-line" in ran.stdout


def test_a_full_disk_ends_a_run_in_one_sentence_and_loses_nothing(run: Path) -> None:
    """Files may not grow beyond a part of what the state needs."""
    pytest.importorskip("resource")
    before = {path: path.read_bytes() for path in [run / "state.pt", *run.glob("checkpoint/*")]}
    room = len(before[run / "state.pt"]) // 3
    full = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))"
    ran = sfumato("train", "--out", run, "--minutes", "0.04", *SMALL, prelude=full)
    assert ran.returncode != 0
    assert "Traceback" not in ran.stderr
    *_, last = ran.stderr.splitlines()
    assert last.startswith(f"sfumato: the run's state could not be written to {run}")
    assert {path: path.read_bytes() for path in before} == before
    checkpoint.verify(run / "checkpoint")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The last line on stderr of a command that fails without a traceback."""
    assert main([str(argument) for argument in arguments]) != 0
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("sfumato: ")
    return last


@pytest.mark.parametrize("command", ["train", "tokenizer", "eval"])
def test_sources_that_are_no_folder_are_named(
    command: str, tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = ("--model", run / "checkpoint") if command == "eval" else ("--out", tmp_path / "out")
    missing = tmp_path / "missing"
    assert str(missing) in refused(capsys, command, missing, *target)
    (tmp_path / "file.py").write_text("x = 1\n")
    assert "file.py" in refused(capsys, command, tmp_path / "file.py", *target)


def test_sources_without_code_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert str(tmp_path / "empty") in refused(
        capsys, "train", tmp_path / "empty", "--out", tmp_path / "run"
    )


def test_a_run_without_sources_asks_for_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "name the folders" in refused(capsys, "train", "--out", tmp_path / "run")


def test_too_little_code_for_the_vocabulary_is_said(
    code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "8192" in refused(capsys, "train", code, "--out", tmp_path / "run")


def test_too_little_code_for_a_chunk_is_said(
    code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--vocabulary", "320", "--width", "64", "--layers", "1", "--minutes", "0.01")
    long = ("--tokens", "99968", "--chunks", "1")
    refused(capsys, "train", code, "--out", tmp_path / "run", *options, *long)


def test_an_unknown_device_is_named(
    code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = refused(capsys, "train", code, "--out", tmp_path / "run", "--device", "abacus")
    assert "abacus" in found


def test_a_broken_checkpoint_is_not_measured(
    code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert str(tmp_path) in refused(capsys, "eval", code, "--model", tmp_path)


@pytest.mark.parametrize(
    "option",
    [("--minutes", "0"), ("--tokens", "16"), ("--width", "65"), ("--layers", "0")],
    ids=" ".join,
)
def test_a_number_that_makes_no_model_is_refused(
    option: tuple[str, str], code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", code, "--out", tmp_path / "run", "--minutes", "0.001", *SMALL, *option]
    assert status_of([str(argument) for argument in arguments]) != 0
    assert option[0].lstrip("-") in capsys.readouterr().err


def status_of(arguments: list[str]) -> int:
    """The exit status of a command; a wrong usage ends it at once."""
    try:
        return main(arguments)
    except SystemExit as usage:
        return int(usage.code or 0)


def test_a_tokenizer_is_trained_by_itself(
    code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tokenizer.json"
    assert main(["tokenizer", str(code), "--out", str(out), "--vocabulary", "300"]) == 0
    assert Tokenizer.load(out).size == 300
    assert str(out) in capsys.readouterr().out
