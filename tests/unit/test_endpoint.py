"""An endpoint is checked when it is made; its key is in the environment or the keyring."""

from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from engine.errors import CheckpointError, EndpointError
from engine.remote.endpoint import Endpoint
from engine.remote.keys import find_key
from engine.remote.trouble import retry_after_s
from engine.rendezvous import rendezvous


class Drawer(KeyringBackend):
    """A keyring with one key in it."""

    priority = 1.0  # type: ignore[assignment] - as the package's own backends have it

    def get_password(self, service: str, username: str) -> str | None:
        return "from the drawer" if (service, username) == ("sfumato", "TEAM_KEY") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


def test_an_endpoint_is_what_was_saved(tmp_path: Path) -> None:
    made = Endpoint.usual("mercury", model="mercury-edit-3")
    made.save(tmp_path / "mercury")
    assert Endpoint.load(tmp_path / "mercury") == made
    assert (made.url, made.key) == ("https://api.inceptionlabs.ai", "INCEPTION_API_KEY")


def test_an_address_may_be_given_as_other_programs_want_it() -> None:
    assert (
        Endpoint.usual("vllm", url="http://localhost:1/v1/", model="qwen").url
        == "http://localhost:1"
    )
    assert Endpoint.usual("sglang", url="https://a.example/b/v1").url == "https://a.example/b"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "copilot", "url": "http://a"}, "there is no kind 'copilot'"),
        ({"kind": "openai"}, "needs a url"),
        ({"kind": "openai", "url": "http://a"}, "needs a model"),
        ({"kind": "sglang", "url": "localhost:80"}, "url should be"),
        ({"kind": "sglang", "url": "http://a:99999"}, "url should be"),
        ({"kind": "sglang", "url": "https://me:secret@a"}, "url holds a password"),
        ({"kind": "sglang", "url": "http://a.example", "key": "K"}, "in the clear: use https"),
        ({"kind": "sglang", "url": "http://a", "key": "sk 123"}, "not the key itself"),
        ({"kind": "sglang", "url": "http://a", "template": "fim"}, "no template 'fim'"),
        ({"kind": "vllm", "url": "http://a", "model": "mine"}, "name a template"),
        ({"kind": "sglang", "url": "http://a", "port": "1"}, "has no 'port'"),
        ({"kind": "sglang", "url": 3}, "url should be of type str"),
        ([], "an endpoint is an object"),
    ],
)
def test_what_is_no_endpoint_is_one_sentence(given: object, said: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        Endpoint.from_json(given)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "endpoint.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"endpoint\.json cannot be read"):
        Endpoint.load(tmp_path)


def test_a_key_comes_from_the_environment_or_else_the_keyring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = keyring.get_keyring()
    keyring.set_keyring(Drawer())
    try:
        monkeypatch.delenv("TEAM_KEY", raising=False)
        assert find_key("TEAM_KEY") == "from the drawer"
        monkeypatch.setenv("TEAM_KEY", " from the environment\n")
        assert find_key("TEAM_KEY") == "from the environment"
        with pytest.raises(EndpointError, match="OTHER_KEY is neither"):
            find_key("OTHER_KEY")
        assert find_key("") == ""
    finally:
        keyring.set_keyring(usual)


def test_a_keyring_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Drawer):
        def get_password(self, service: str, username: str) -> str | None:
            raise OSError(f"{service} {username} is locked")

    monkeypatch.delenv("TEAM_KEY", raising=False)
    usual = keyring.get_keyring()
    keyring.set_keyring(Broken())
    try:
        with pytest.raises(EndpointError, match=r"does not give it \(OSError: sfumato TEAM_KEY"):
            find_key("TEAM_KEY")
    finally:
        keyring.set_keyring(usual)


def test_what_cannot_be_a_key_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_KEY", "geheim\nü")
    with pytest.raises(EndpointError, match="no API key") as caught:
        find_key("TEAM_KEY")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("variable", ["INCEPTION_API_KEY", "SSL_CERT_FILE", "https_proxy"])
def test_another_environment_is_another_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    Endpoint.usual("mercury").save(tmp_path)
    names: set[str] = set()
    for value in ("one", "two", "two"):
        monkeypatch.setenv(variable, value)
        names.add(rendezvous(tmp_path).name)
    assert len(names) == 2


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after_s("7") == 7
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert (retry_after_s("Sun, 06 Nov 2994 08:49:37 GMT") or 0) > 1e9
    assert retry_after_s("soon") is None
    assert retry_after_s(None) is None
