"""Settings are checked one by one; a bad one is named and leaves the others be."""

import pytest

from lsp_server.settings import Parsed, Settings, parse


def test_what_a_client_sends_is_laid_over_what_was() -> None:
    base = Settings(max_lines=3)
    found = parse({"debounce_ms": 20, "disabled_languages": ["go"]}, base)
    assert found == Parsed(Settings(max_lines=3, debounce_ms=20, disabled_languages=("go",)))


@pytest.mark.parametrize("raw", [{"enabled": False}, {"sfumato": {"enabled": False}}])
def test_settings_may_come_under_our_name(raw: object) -> None:
    assert parse(raw, Settings()) == Parsed(Settings(enabled=False))


@pytest.mark.parametrize("raw", [None, {}, {"sfumato": None}, {"max_lines": None}])
def test_nothing_changes_nothing(raw: object) -> None:
    assert parse(raw, Settings()) == Parsed(Settings())


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ("on", "Sfumato's settings should be an object, found 'on'."),
        ({"enabled": 1}, "enabled should be true or false, found 1."),
        ({"deadline_ms": 5}, "deadline_ms should be a whole number from 350 to 10000, found 5."),
        ({"max_lines": True}, "max_lines should be a whole number from 1 to 100, found True."),
        ({"max_lines": 2.5}, "max_lines should be a whole number from 1 to 100, found 2.5."),
        ({"excluded_files": ".env"}, "excluded_files should be a list of strings, found '.env'."),
        ({"excluded_files": [1]}, "excluded_files should be a list of strings, found [1]."),
    ],
)
def test_a_bad_value_is_one_sentence(raw: object, sentence: str) -> None:
    assert parse(raw, Settings()) == Parsed(Settings(), wrong=(sentence,))


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    found = parse({"modle": "x", "max_lines": 4}, Settings())
    assert found.settings == Settings(max_lines=4)
    assert found.wrong == ()
    assert found.unknown[0].startswith("There is no setting 'modle'; there are enabled, ")


def test_names_may_be_spelled_as_in_json() -> None:
    found = parse({"maxLines": 4, "livePreview": True}, Settings())
    assert found == Parsed(Settings(max_lines=4, live_preview=True))
    wrong = parse({"maxLines": 0}, Settings())
    assert wrong.wrong == ("maxLines should be a whole number from 1 to 100, found 0.",)


@pytest.mark.parametrize(
    ("uri", "secret"),
    [
        ("file:///ws/a.py", False),
        ("file:///ws/environment.py", False),
        ("untitled:Untitled-1", False),
        ("file:///ws/.env", True),
        ("file:///ws/.ENV.local", True),
        ("file:///ws/server.pem", True),
        ("file:///ws/%2Eenv", True),
        ("file:///home/.ssh/config", True),
        ("file:///ws/secrets.yaml", True),
    ],
)
def test_files_that_hold_secrets_are_known_by_their_names(uri: str, secret: bool) -> None:
    assert Settings().keeps_secret(uri) is secret


def test_globs_of_ones_own_leave_the_secret_files_secret() -> None:
    settings = parse({"excluded_files": ["*.md"]}, Settings()).settings
    assert not settings.allows("file:///ws/a.md", "markdown")
    assert settings.keeps_secret("file:///ws/.env")


def test_switches() -> None:
    assert not Settings(enabled=False).allows("file:///a.py", "python")
    assert not Settings(disabled_languages=("python",)).allows("file:///a.py", "python")
    assert not Settings(excluded_files=("*/vendor/*",)).allows("file:///x/vendor/a.py", "python")


@pytest.mark.parametrize(
    ("settings", "client", "wait_ms"),
    [
        (Settings(), "Neovim", 0),
        (Settings(), "coc.nvim", 0),
        (Settings(), "Visual Studio Code", 60),
        (Settings(), "", 60),
        (Settings(debounce_ms=10), "Neovim", 10),
        (Settings(debounce_ms=0), "Visual Studio Code", 0),
    ],
)
def test_clients_that_wait_themselves_are_not_made_to_wait_again(
    settings: Settings, client: str, wait_ms: int
) -> None:
    assert settings.debounce_for(client, typing_wait_ms=60) == wait_ms
