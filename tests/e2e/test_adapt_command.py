"""`sfumato train --on`, as a user runs it."""

import json
from pathlib import Path

import pytest

from engine import checkpoint
from engine.train.items import KINDS
from lsp_server.cli import main
from tests.support.tiny_model import source_code, write_tiny_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:Mismatch dtype")  # torch, of norms in bfloat16


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    for n in range(6):
        (folder / f"{n}.py").write_text(source_code(20, seed=n))
    return folder


def test_a_model_is_adapted_to_a_project_and_measured(
    project: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.train.cli_adapt._HOLES", 1)
    model, out = write_tiny_checkpoint(tmp_path / "model"), tmp_path / "out"
    (project / "keys.py").write_text(f'{source_code(20, seed=9)}\npassword = "Zq8Lw3Vn7Kx2"\n')
    sums = (model / "SHA256SUMS").read_bytes()
    options = ("--from", model, "--on", project, "--out", out, "--minutes", "0.01")
    arguments = ("train", *options, "--chunks", "1", "--device", "cpu", "--threads", "1")
    assert main([str(argument) for argument in arguments]) == 0
    shown = capsys.readouterr()
    assert "keys.py" in shown.err
    assert str(out / "checkpoint") in shown.out
    adapted, original = checkpoint.load(out / "checkpoint"), checkpoint.load(model)
    assert adapted.name.startswith("sfumato-project")
    assert any(
        not ours.equal(theirs)
        for ours, theirs in zip(
            adapted.model.parameters(), original.model.parameters(), strict=True
        )
    )
    assert (model / "SHA256SUMS").read_bytes() == sums
    facts = json.loads((out / "adaptation.json").read_text())
    kinds = [{score["kind"] for score in facts[when]} for when in ("before", "after")]
    assert kinds[0] == kinds[1] == set(KINDS)


@pytest.mark.parametrize("missing", ["--on", "--from"])
def test_what_is_not_there_is_named(
    missing: str, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"--on": str(project), "--from": "default", "--out": str(tmp_path / "out")}
    given[missing] = str(tmp_path / "gone")
    assert main(["train", *(word for pair in given.items() for word in pair)]) != 0
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("sfumato: ")
    assert "gone" in last


def test_training_goes_on_from_a_model(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)  # no compiler: compiling takes a minute
    model, out = write_tiny_checkpoint(tmp_path / "model"), tmp_path / "out"
    options = ("--from", model, "--out", out, "--minutes", "0.01", "--chunks", "1")
    arguments = ("train", *options, "--tokens", "64", "--device", "cpu", "--threads", "1", project)
    assert main([str(argument) for argument in arguments]) == 0
    trained, original = checkpoint.load(out / "checkpoint"), checkpoint.load(model)
    assert trained.model.config == original.model.config
    assert (out / "tokenizer.json").read_bytes() == (model / "tokenizer.json").read_bytes()


def test_a_corpus_in_other_tokens_than_the_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, corpus = write_tiny_checkpoint(tmp_path / "model"), tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "packed.json").write_text("{}")
    (corpus / "tokenizer.json").write_text("{}")
    arguments = ("train", "--from", model, "--out", tmp_path / "out", corpus)
    assert main([str(argument) for argument in arguments]) == 1
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith(f"sfumato: {corpus} was packed with another tokenizer")
