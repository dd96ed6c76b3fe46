"""Keys: who may ask. They are read once, compared in constant time, and never written anywhere."""

import hmac
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import AccessError

VARIABLE = "SFUMATO_API_KEYS"
"""Of the environment: entries `NAME:KEY`, blanks between."""

_ENTRY = re.compile(r"([\w.@-]{1,64}):(\S+)")
_SHORTEST = 16


@dataclass(frozen=True, slots=True)
class Keys:
    """Names of clients and the keys by which they are known."""

    names: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def __bool__(self) -> bool:
        return bool(self.names)

    def client(self, authorization: str) -> str | None:
        """The name behind an Authorization header; None where there is none.

        Every key is compared, so that the time tells nothing.
        """
        scheme, _, given = authorization.partition(" ")
        secret = given.strip().encode()
        found = None
        for name, key in self.names.items():
            if hmac.compare_digest(secret, key.encode()):
                found = name
        return found if scheme.lower() == "bearer" else None


def read_keys(path: Path | None, environment: Mapping[str, str]) -> Keys:
    """The keys in a file and in the environment. Raises AccessError for what is not one.

    path  a file of entries `NAME:KEY`, blanks between, that only this user can read
    """
    texts = {f"the variable {VARIABLE}": environment.get(VARIABLE, "")}
    if path is not None:
        texts[f"the file {path}"] = _private_text(path)
    names: dict[str, str] = {}
    for place, text in texts.items():
        for number, entry in enumerate(text.split(), 1):
            where = f"Entry {number} of {place}"
            name, key = _entry(entry, where)
            if name in names:
                raise AccessError(f"{where} gives {name} a second key.")
            names[name] = key
    return Keys(names)


def _entry(entry: str, where: str) -> tuple[str, str]:
    found = _ENTRY.fullmatch(entry)
    if not found:
        raise AccessError(f"{where} is not of the form NAME:KEY.")
    if len(found[2]) < _SHORTEST:
        raise AccessError(f"{where} has a key of fewer than {_SHORTEST} characters.")
    return found[1], found[2]


def _private_text(path: Path) -> str:
    try:
        with path.open() as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if os.name == "posix" and mode & 0o077:
                raise AccessError(
                    f"Others can read the keys in {path} (mode {mode:04o}); chmod it to 0600."
                )
            text = file.read()
    except UnicodeDecodeError as error:
        raise AccessError(f"The keys in {path} cannot be read: that is no text.") from error
    except OSError as error:
        raise AccessError(f"The keys in {path} cannot be read: {error.strerror}.") from error
    if not text.split():
        raise AccessError(f"There is no key in the file {path}.")
    return text
