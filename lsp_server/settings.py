"""What a user may set: one frozen dataclass, filled from what the client sends.

The names and defaults here are the only ones; a launcher passes settings on and adds none.
"""

from dataclasses import dataclass, fields, replace
from fnmatch import fnmatch
from typing import Any, cast
from urllib.parse import unquote, urlsplit

# These editors wait 150 to 500 ms after a key before they ask; another wait would only add to it.
_CLIENTS_THAT_WAIT = frozenset({"Neovim", "coc.nvim", "emacs"})

_NUMBERS = {"debounce_ms": (0, 250), "deadline_ms": (350, 10_000), "max_lines": (1, 100)}
"""Least and greatest value of each number."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one client.

    enabled             answer inline completion requests at all
    disabled_languages  LSP language identifiers that get no suggestions
    excluded_files      globs matched against file name and path; their files get no suggestions
    debounce_ms         wait for a pause in typing before the engine is asked; None is 0 for clients
                        that wait themselves and 75 for the others
    deadline_ms         a request is answered within this time, with nothing if need be
    max_lines           lines in a multi-line suggestion
    """

    enabled: bool = True
    disabled_languages: tuple[str, ...] = ()
    excluded_files: tuple[str, ...] = (".env*", "*.env", "*.pem", "*.key", "id_rsa*", "id_ed25519*")
    debounce_ms: int | None = None
    deadline_ms: int = 500
    max_lines: int = 10

    def allows(self, uri: str, language: str) -> bool:
        """Whether a document gets suggestions."""
        path = unquote(urlsplit(uri).path)
        name = path.rsplit("/", 1)[-1]
        excluded = any(fnmatch(name, glob) or fnmatch(path, glob) for glob in self.excluded_files)
        return self.enabled and language not in self.disabled_languages and not excluded

    def debounce_for(self, client_name: str) -> int:
        """Milliseconds to wait after an automatic request of this client."""
        if self.debounce_ms is not None:
            return self.debounce_ms
        return 0 if client_name in _CLIENTS_THAT_WAIT else 75


def parse(raw: object, base: Settings) -> tuple[Settings, tuple[str, ...]]:
    """Settings with what a client sent laid over `base`, and one sentence per value left out.

    raw     `initializationOptions`, or `settings` of didChangeConfiguration; either the settings
            themselves or an object that holds them under "sfumato"; null changes nothing
    """
    if raw is None:
        return base, ()
    if not isinstance(raw, dict):
        return base, (f"Sfumato's settings should be an object, found {raw!r}.",)
    found = cast("dict[str, Any]", raw)
    if "sfumato" in found:
        return parse(found["sfumato"], base)
    good: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in found.items():
        try:
            good[name] = _checked(name, value)
        except ValueError as error:
            problems.append(str(error))
    return replace(base, **good), tuple(problems)


def _checked(name: str, value: object) -> object:
    """The value as `Settings` holds it; ValueError with one sentence when it cannot be."""
    known = [field.name for field in fields(Settings)]
    if name not in known:
        raise ValueError(f"There is no setting {name!r}; there are {', '.join(known)}.")
    if name == "debounce_ms" and value is None:
        return None
    if name == "enabled":
        if isinstance(value, bool):
            return value
        raise ValueError(f"{name} should be true or false, found {value!r}.")
    if name in _NUMBERS:
        least, greatest = _NUMBERS[name]
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= greatest:
            return value
        raise ValueError(
            f"{name} should be a whole number from {least} to {greatest}, found {value!r}."
        )
    return _strings(name, value)


def _strings(name: str, value: object) -> tuple[str, ...]:
    items = cast("list[object]", value) if isinstance(value, list) else None
    strings = [item for item in items if isinstance(item, str)] if items is not None else None
    if strings is None or strings != items:
        raise ValueError(f"{name} should be a list of strings, found {value!r}.")
    return tuple(strings)
