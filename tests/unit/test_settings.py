"""Settings are checked one by one; a bad one is named and leaves the others be."""

import pytest

from lsp_server.settings import Settings, parse


def test_what_a_client_sends_is_laid_over_what_was() -> None:
    base = Settings(max_lines=3)
    found, problems = parse({"debounce_ms": 20, "disabled_languages": ["go"]}, base)
    assert found == Settings(max_lines=3, debounce_ms=20, disabled_languages=("go",))
    assert problems == ()


@pytest.mark.parametrize("raw", [{"enabled": False}, {"sfumato": {"enabled": False}}])
def test_settings_may_come_under_our_name(raw: object) -> None:
    assert parse(raw, Settings()) == (Settings(enabled=False), ())


@pytest.mark.parametrize("raw", [None, {}, {"sfumato": None}])
def test_nothing_changes_nothing(raw: object) -> None:
    assert parse(raw, Settings()) == (Settings(), ())


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
    assert parse(raw, Settings()) == (Settings(), (sentence,))


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    found, (problem,) = parse({"modle": "x", "max_lines": 4}, Settings())
    assert found == Settings(max_lines=4)
    assert problem.startswith("There is no setting 'modle'; there are enabled, ")


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("file:///ws/a.py", True),
        ("untitled:Untitled-1", True),
        ("file:///ws/.env", False),
        ("file:///ws/.env.local", False),
        ("file:///ws/server.pem", False),
        ("file:///ws/%2Eenv", False),
    ],
)
def test_secret_files_get_no_suggestions(uri: str, allowed: bool) -> None:
    assert Settings().allows(uri, "python") is allowed


def test_switches() -> None:
    assert not Settings(enabled=False).allows("file:///a.py", "python")
    assert not Settings(disabled_languages=("python",)).allows("file:///a.py", "python")
    assert not Settings(excluded_files=("*/vendor/*",)).allows("file:///x/vendor/a.py", "python")


@pytest.mark.parametrize(
    ("settings", "client", "wait_ms"),
    [
        (Settings(), "Neovim", 0),
        (Settings(), "coc.nvim", 0),
        (Settings(), "Visual Studio Code", 75),
        (Settings(), "", 75),
        (Settings(debounce_ms=10), "Neovim", 10),
        (Settings(debounce_ms=0), "Visual Studio Code", 0),
    ],
)
def test_clients_that_wait_themselves_are_not_made_to_wait_again(
    settings: Settings, client: str, wait_ms: int
) -> None:
    assert settings.debounce_for(client) == wait_ms
