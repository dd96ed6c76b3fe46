"""Servers of others among the models: `sfumato model`, and what the doctor says of one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.shelf import model_folder
from lsp_server.cli import main
from tests.support.processes import corner
from tests.support.stand_in import KEY, failure, mercury, serving


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("INCEPTION_API_KEY", KEY)
    with corner(monkeypatch) as folder:
        monkeypatch.setenv("XDG_DATA_HOME", str(folder))
        yield folder


def sfumato(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit status, and all that was printed."""
    status = main(arguments)
    printed = capsys.readouterr()
    return status, printed.out + printed.err


def test_a_server_is_named_listed_used_and_forgotten(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    status, said = sfumato(capsys, "model", "add", "mercury")
    assert status == 0
    assert "mercury-edit-2 at https://api.inceptionlabs.ai, with the key INCEPTION_API_KEY" in said
    assert "sfumato model use mercury" in said
    sfumato(capsys, "model", "add", "llama.cpp", "--name", "desk", "--url", "http://desk:8012")
    assert "to api.inceptionlabs.ai" in sfumato(capsys, "model", "use", "mercury")[1]
    assert model_folder() == model_folder(Path("mercury"))
    listed = sfumato(capsys, "model", "list")[1].splitlines()
    assert [line.split()[:2] for line in listed[1:]] == [["*", "mercury"], ["desk", "llama.cpp,"]]
    assert sfumato(capsys, "model", "remove", "mercury") == (0, "Removed mercury.\n")
    assert sfumato(capsys, "model", "remove", "mercury") == (
        2,
        'sfumato: there is no model "mercury"; there are: default, desk\n',
    )
    assert [file.parent.name for file in home.rglob("endpoint.json")] == ["desk"]


def test_of_a_server_it_is_said_where_it_is_and_whether_its_key_is_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sfumato(capsys, "model", "add", "mercury")
    _, said = sfumato(capsys, "model", "info", "mercury")
    assert "mercury at https://api.inceptionlabs.ai" in said
    assert "INCEPTION_API_KEY, which is there" in said
    assert KEY not in said
    monkeypatch.delenv("INCEPTION_API_KEY")
    assert "which is not there" in sfumato(capsys, "model", "info", "mercury")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("openai",), "an endpoint needs a url"),
        (("vllm", "--model", "mine"), "name a template"),
        (("mercury", "--key", "sk 1"), "not the key itself"),
        (("mercury", "--name", "../x"), "is no name"),
        (("owner/name", "--url", "http://desk:8012"), "--url is said of a server"),
    ],
)
def test_what_is_no_endpoint_is_not_kept(
    capsys: pytest.CaptureFixture[str], home: Path, arguments: tuple[str, ...], said: str
) -> None:
    status, printed = sfumato(capsys, "model", "add", *arguments)
    assert status == 2
    assert said in printed
    assert printed.count("\n") == 1
    assert not list(home.rglob("*.json"))


def test_the_doctor_tells_whether_the_endpoint_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(mercury("a + b")) as server:
        sfumato(capsys, "model", "add", "mercury", "--url", server.url)
        status, said = sfumato(capsys, "doctor", "--model", "mercury")
        assert status == 0
        assert f"mercury-edit-2 at {server.url.removeprefix('http://')} fills a hole in" in said
        server.script = lambda _: failure(401, "expired [/red]")
        status, said = sfumato(capsys, "doctor", "--model", "mercury")
    assert status == 1
    assert "refuses the key INCEPTION_API_KEY (401: expired [/red])" in said
    assert KEY not in said


def test_a_server_is_measured_by_its_answers(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "sums.py").write_text("total = a + b\n" * 30)
    scores = tmp_path / "scores.json"
    with serving(mercury("a + b")) as server:
        sfumato(capsys, "model", "add", "mercury", "--url", server.url)
        words = ("eval", str(code), "--model", "mercury", "--items", "3", "--json", str(scores))
        status, said = sfumato(capsys, *words)
    assert status == 0
    assert "unknown length" in said
    assert "canvas loss" not in said
    found = json.loads(scores.read_text())
    assert found["model"]["model"] == "mercury-edit-2"
    assert {score["offered"] for score in found["scores"]} != {0.0}
