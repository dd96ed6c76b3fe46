"""`sfumato endpoint` and what the doctor says of one, as a newcomer meets them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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


def test_a_server_is_named_listed_and_forgotten(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    status, said = sfumato(capsys, "endpoint", "add", "mercury")
    assert status == 0
    assert "mercury-edit-2 at https://api.inceptionlabs.ai, with the key INCEPTION_API_KEY" in said
    assert f"sfumato lsp --model {home / 'sfumato/endpoints/mercury'}" in said
    sfumato(capsys, "endpoint", "add", "llama.cpp", "--name", "desk", "--url", "http://desk:8012")
    assert [line.split(":")[0] for line in sfumato(capsys, "endpoint", "list")[1].split("\n")] == [
        "desk",
        "mercury",
        "",
    ]
    assert sfumato(capsys, "endpoint", "remove", "desk") == (0, "")
    assert sfumato(capsys, "endpoint", "remove", "desk") == (
        2,
        "sfumato: there is no endpoint 'desk', there are: mercury\n",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("openai",), "an endpoint needs a url"),
        (("vllm", "--model", "mine"), "name a template"),
        (("mercury", "--key", "sk 1"), "not the key itself"),
        (("mercury", "--name", "../x"), "without slashes"),
    ],
)
def test_what_is_no_endpoint_is_not_kept(
    capsys: pytest.CaptureFixture[str], home: Path, arguments: tuple[str, ...], said: str
) -> None:
    status, printed = sfumato(capsys, "endpoint", "add", *arguments)
    assert status == 2
    assert said in printed
    assert printed.count("\n") == 1
    assert not list(home.rglob("endpoint.json"))


def test_the_doctor_tells_whether_the_endpoint_answers(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    with serving(mercury("a + b")) as server:
        sfumato(capsys, "endpoint", "add", "mercury", "--url", server.url)
        model = str(home / "sfumato/endpoints/mercury")
        status, said = sfumato(capsys, "doctor", "--model", model)
        assert status == 0
        assert f"mercury-edit-2 at {server.url.removeprefix('http://')} fills a hole in" in said
        server.script = lambda _: failure(401, "expired")
        status, said = sfumato(capsys, "doctor", "--model", model)
    assert status == 1
    assert "refuses the key INCEPTION_API_KEY (401: expired)" in said
    assert KEY not in said
