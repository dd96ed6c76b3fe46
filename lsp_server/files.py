"""The files of a workspace folder that are worth knowing: what git would keep, of known languages.

Everything here reads a disk and belongs on a thread.
"""

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath

from lsp_server.context import with_newlines
from lsp_server.settings import Settings

MAX_FILE_BYTES = 256 * 1024
"""A longer file was mostly made by a program."""
MAX_FILES = 50_000
"""More names are not looked at: the folder is somebody's home, or a disk."""
_GIT_LIMIT_S = 30.0
_CUSTOMARY = frozenset(("__pycache__", "build", "dist", "node_modules", "target", "venv", "vendor"))
"""Folders that hold other people's code or what was made of one's own."""

# fmt: off
_LANGUAGES = {
    "python": "py pyi", "javascript": "js mjs cjs", "javascriptreact": "jsx",
    "typescript": "ts mts cts", "typescriptreact": "tsx", "go": "go", "rust": "rs",
    "java": "java", "c": "c h", "cpp": "cc cpp cxx hh hpp", "html": "html htm", "css": "css",
    "shellscript": "sh bash", "csharp": "cs", "ruby": "rb rake gemspec", "php": "php",
    "lua": "lua", "sql": "sql", "kotlin": "kt kts", "swift": "swift",
}
# fmt: on
_LANGUAGE_OF = {
    f".{end}": language for language, ends in _LANGUAGES.items() for end in ends.split()
}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one state of a file on disk from another."""

    modified_ns: int
    size_bytes: int


def language_of(path: PurePath) -> str | None:
    """The LSP identifier that a file's name speaks for; None for what is not indexed."""
    return _LANGUAGE_OF.get(path.suffix.lower())


def scan(folder: Path, settings_of: Callable[[str], Settings]) -> dict[Path, Stamp]:
    """The files of a folder worth indexing, and their states.

    Links are not followed; secret files and what the user switched off are not even opened.

    settings_of  the settings in force for a URI
    """
    found: dict[Path, Stamp] = {}
    for path in islice(_listed(folder), MAX_FILES):
        language, uri = language_of(path), path.as_uri()
        if language is None:
            continue
        settings = settings_of(uri)
        if not settings.index_workspace or settings.keeps_secret(uri):
            continue
        if settings.allows(uri, language) and (stamp := _stamp(path)) is not None:
            found[path] = stamp
    return found


def read(path: Path) -> bytes | None:
    """A file's text with \\n for every line end; None if it cannot be read or is no text."""
    try:
        text = path.read_bytes()
        text.decode()
    except (OSError, UnicodeError):
        return None
    return with_newlines(text)


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    fits = stat.S_ISREG(status.st_mode) and status.st_size <= MAX_FILE_BYTES
    return Stamp(status.st_mtime_ns, status.st_size) if fits else None


def _listed(folder: Path) -> Iterator[Path]:
    """What git tracks or would track, so not what .gitignore names; without git, nearly all."""
    command = ["git", "-C", str(folder), "ls-files", "-z", "-co", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=_GIT_LIMIT_S)
    except (OSError, subprocess.SubprocessError):
        yield from _walked(folder)
        return
    for name in filter(None, done.stdout.split(b"\0")):
        yield folder / os.fsdecode(name)


def _walked(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in _CUSTOMARY)
        yield from (Path(place, name) for name in sorted(names))
