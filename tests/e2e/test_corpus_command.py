"""`sfumato corpus build` and `sfumato train` on what it made, as a user runs them."""

import json
from pathlib import Path

import pytest

from engine import checkpoint
from lsp_server.cli import main
from tests.support.repositories import commit_all, write
from tests.support.tiny_model import source_code

LICENCE = {"LICENSE": "Permission is hereby granted, free of charge, to any person"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpus")
    rows = list[dict[str, str]]()
    for number, split in enumerate(["train", "train", "heldout"]):
        repository = root / "mirror" / "a" / str(number)
        code = {f"{n}.py": source_code(20, seed=10 * number + n) for n in range(4)}
        commit = commit_all(write(repository, LICENCE | code))
        rows.append(
            {"repo": f"a/{number}", "commit": commit, "spdx": "MIT", "split": split, "source": ""}
        )
    (root / "manifest.json").write_text(json.dumps(rows))
    options = ("--mirror", root / "mirror", "--vocabulary", "320", "--jobs", "1")
    arguments = ["corpus", "build", root / "manifest.json", root / "out", *options]
    assert main([str(argument) for argument in arguments]) == 0
    return root / "out"


@pytest.mark.filterwarnings("ignore:Mismatch dtype")  # torch, of norms in bfloat16
def test_a_corpus_is_trained_on(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # no compiler: compiling takes a minute
    size = ("--width", "64", "--layers", "1", "--chunks", "2", "--tokens", "256", "--threads", "1")
    run = tmp_path / "run"
    assert main(["train", str(corpus), "--out", str(run), "--minutes", "0.02", *size]) == 0
    assert checkpoint.load(run / "checkpoint").tokenizer.size == 320
    last = json.loads((run / "curve.jsonl").read_text().splitlines()[-1])
    assert last["valid_canvas"] > 0


def test_a_corpus_says_what_it_is_made_of(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", "report", str(corpus)]) == 0
    assert "3 repositories" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ("build", "gone.json", "out"),
        ("build", "gone.json", "out", "--exclude", "gone.txt"),
        ("report", "gone"),
    ],
    ids=" ".join,
)
def test_what_is_not_there_is_named(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [
        str(tmp_path / word) if word.startswith(("gone", "out")) else word for word in arguments
    ]
    assert main(["corpus", *paths]) == 1
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("sfumato: ")
    assert "gone" in last


@pytest.mark.parametrize("option", [("--mix", "cobol=1"), ("--tests", "1"), ("--jobs", "0")])
def test_an_option_that_makes_no_sense_is_refused(
    option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["corpus", "build", "manifest.json", "out", *option])
    assert option[0] in capsys.readouterr().err


def test_a_corpus_is_not_mixed_with_folders(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "code").mkdir()
    sources = (str(corpus), str(tmp_path / "code"))
    assert main(["train", *sources, "--out", str(tmp_path / "run")]) == 1
    assert "train on it alone" in capsys.readouterr().err
