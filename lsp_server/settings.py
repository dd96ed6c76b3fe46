"""What a user may set: one frozen dataclass, filled from what the client sends.

The names and defaults here are the only ones; a launcher passes settings on and adds none.
"""

import re
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, cast
from urllib.parse import unquote, urlsplit

# These editors wait 150 to 500 ms after a key before they ask; another wait would only add to it.
_CLIENTS_THAT_WAIT = frozenset({"Neovim", "coc.nvim", "emacs"})

NUMBERS = {
    "debounce_ms": (0, 250),
    "deadline_ms": (350, 10_000),
    "max_lines": (1, 100),
    "max_file_lines": (1, 10_000_000),
    "min_chance_percent": (0, 100),
}
"""Least and greatest value of each number."""

# fmt: off
_SECRETS = (
    ".env*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx",
    "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*/.ssh/*", "*/.aws/*", "*/.gnupg/*",
    ".netrc", "_netrc", ".npmrc", ".pypirc", ".pgpass", ".git-credentials", ".htpasswd",
    "credentials", "credentials.*", "secrets.*", "*.secret", "*.secrets", "*.tfvars",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one client, or of one of its workspace folders.

    enabled             answer inline completion requests at all
    disabled_languages  LSP language identifiers that get no suggestions
    excluded_files      globs matched against file name and path; their files get no suggestions
    secret_files        likewise, for files whose text must not even be held in a cache
    max_file_lines      longer files get no suggestions
    debounce_ms         wait for a pause in typing before the engine is asked; None is 0 for clients
                        that wait themselves, up to 75 for the others, less the slower you type
    deadline_ms         a request is answered within this time, with nothing if need be
    max_lines           lines in a multi-line suggestion
    min_chance_percent  an automatic suggestion is shown if it is at least this likely to be right;
                        where a right one is worth three wrong ones, 20 was measured to serve best
                        (tests/bench/calibration.py)
    popup_completion    answer textDocument/completion too, for clients without inline completion
    syntax_diagnostics  answer textDocument/diagnostic with what does not parse
    live_preview        send every draft as a sfumato/preview notification
    keep_statistics     count on this machine what was shown and accepted
    index_workspace     look in the other files of the workspace, as far as git does not ignore them
    hole_marker         text that is a hole wherever it stands; "" for none
    """

    enabled: bool = True
    disabled_languages: tuple[str, ...] = ()
    excluded_files: tuple[str, ...] = ()
    secret_files: tuple[str, ...] = _SECRETS
    max_file_lines: int = 100_000
    debounce_ms: int | None = None
    deadline_ms: int = 500
    max_lines: int = 10
    min_chance_percent: int = 20
    popup_completion: bool = False
    syntax_diagnostics: bool = False
    live_preview: bool = False
    keep_statistics: bool = True
    index_workspace: bool = True
    hole_marker: str = "$0"

    def allows(self, uri: str, language: str) -> bool:
        """Whether a document gets suggestions, by its language and name."""
        wanted = self.enabled and language not in self.disabled_languages
        return wanted and not _matches(uri, self.excluded_files)

    def keeps_secret(self, uri: str) -> bool:
        """Whether a document's name says that it holds secrets."""
        return _matches(uri, self.secret_files)

    def debounce_for(self, client_name: str, typing_wait_ms: float) -> float:
        """Milliseconds to wait after an automatic request of this client.

        typing_wait_ms  what suits how fast the user types
        """
        if self.debounce_ms is not None:
            return self.debounce_ms
        return 0 if client_name in _CLIENTS_THAT_WAIT else typing_wait_ms


def descriptions() -> dict[str, str]:
    """What the docstring of `Settings` says of each, as a sentence; for help and manifests."""
    table = re.findall(r"^    (\w+)  +(.+(?:\n {8,}.+)*)", Settings.__doc__ or "", re.MULTILINE)
    texts = {name: " ".join(text.split()).replace("None", "null") for name, text in table}
    return {name: f"{text[0].upper()}{text[1:]}." for name, text in texts.items()}


@dataclass(frozen=True, slots=True)
class Parsed:
    """Settings, and a sentence for each value that was left out.

    wrong    values that a setting cannot have; the user has to mend them
    unknown  names that are no settings; another program's, or of another version
    """

    settings: Settings
    wrong: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def parse(raw: object, base: Settings) -> Parsed:
    """Settings with what a client sent laid over `base`.

    raw     `initializationOptions`, `settings` of didChangeConfiguration, or the answer to
            workspace/configuration: either the settings themselves or an object that holds them
            under "sfumato". A null, for all or for one, changes nothing. Names may be spelled
            max_lines or maxLines.
    """
    if raw is None:
        return Parsed(base)
    if not isinstance(raw, dict):
        return Parsed(base, (f"Sfumato's settings should be an object, found {raw!r}.",))
    found = cast("dict[str, Any]", raw)
    if "sfumato" in found:
        return parse(found["sfumato"], base)
    known = [field.name for field in fields(Settings)]
    good: dict[str, Any] = {}
    wrong: list[str] = []
    unknown: list[str] = []
    for spelled, value in found.items():
        name = re.sub(r"(?<=[a-z])([A-Z])", lambda capital: f"_{capital[1].lower()}", spelled)
        if name not in known:
            unknown.append(f"There is no setting {spelled!r}; there are {', '.join(known)}.")
        elif value is not None:
            try:
                good[name] = _checked(name, spelled, value)
            except ValueError as error:
                wrong.append(str(error))
    return Parsed(replace(base, **good), tuple(wrong), tuple(unknown))


def _checked(name: str, spelled: str, value: object) -> object:
    """The value as `Settings` holds it; ValueError with one sentence when it cannot be."""
    if name in NUMBERS:
        least, greatest = NUMBERS[name]
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= greatest:
            return value
        raise ValueError(
            f"{spelled} should be a whole number from {least} to {greatest}, found {value!r}."
        )
    if isinstance(getattr(Settings(), name), bool):
        if isinstance(value, bool):
            return value
        raise ValueError(f"{spelled} should be true or false, found {value!r}.")
    if isinstance(getattr(Settings(), name), str):
        if isinstance(value, str):
            return value
        raise ValueError(f"{spelled} should be a string, found {value!r}.")
    items = cast("list[object]", value) if isinstance(value, list) else None
    strings = [item for item in items if isinstance(item, str)] if items is not None else None
    if strings is None or strings != items:
        raise ValueError(f"{spelled} should be a list of strings, found {value!r}.")
    return tuple(strings)


@lru_cache(maxsize=256)
def _matches(uri: str, globs: tuple[str, ...]) -> bool:
    """Whether a file's name or path fits one of the globs. Asked twice at every key."""
    path = unquote(urlsplit(uri).path).lower()
    name = path.rsplit("/", 1)[-1]
    patterns = [glob.lower() for glob in globs]
    return any(fnmatchcase(name, glob) or fnmatchcase(path, glob) for glob in patterns)
