"""Reads files of code from folders and git repositories, and leaves out what teaches nothing.

Read only: a repository's commit is read through git, so a bare one serves as well as a work tree; a
plain folder is walked. `filters` says what is left out.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import CorpusError
from engine.train.corpus.filters import decode, language_of, path_fault, text_fault

_BLOBS_AT_ONCE = 500
_NO_NETWORK = {"GIT_NO_LAZY_FETCH": "1"}
"""A partial clone lacks large files; git would fetch them one by one."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of code. `text` uses \\n for every line end."""

    path: str
    language: str
    text: str

    @property
    def size(self) -> int:
        """Characters."""
        return len(self.text)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file of code that is left out, and why, in a few words."""

    path: str
    language: str
    reason: str


def source_files(sources: Sequence[Path]) -> Iterator[SourceFile]:
    """Every usable file of code under the given folders and git repositories, in a stable order.

    Raises CorpusError for a source that is no folder.
    """
    for source in sources:
        if not source.is_dir():
            raise CorpusError(f"{source} is not a folder: give folders or git repositories of code")
        yield from (file for file in examine(source) if isinstance(file, SourceFile))


def examine(source: Path, commit: str = "HEAD") -> Iterator[SourceFile | Dropped]:
    """Every file of code of a folder, or of a commit of a repository, or why it is left out."""
    listed = _list_commit(source, commit) if _is_repository(source) else _list_folder(source)
    wanted: list[tuple[str, str, str]] = []
    for name, size_bytes, handle in listed:
        language = language_of(name)
        if language is None:
            continue
        fault = path_fault(name, size_bytes)
        if fault:
            yield Dropped(name, language, fault)
        else:
            wanted.append((name, language, handle))
    read = _read_blobs if _is_repository(source) else _read_paths
    contents = read(source, [handle for _, _, handle in wanted])
    for (name, language, _), content in zip(wanted, contents, strict=True):
        yield _judge(name, language, content)


def _judge(name: str, language: str, content: bytes | None) -> SourceFile | Dropped:
    if content is None:
        return Dropped(name, language, "absent")
    text = decode(content)
    if text is None:
        return Dropped(name, language, "no UTF-8 text")
    fault = text_fault(text)
    return Dropped(name, language, fault) if fault else SourceFile(name, language, text)


def _is_repository(folder: Path) -> bool:
    return (folder / ".git").exists() or (folder / "objects").is_dir()


def _list_folder(folder: Path) -> Iterator[tuple[str, int, str]]:
    """Name, size in bytes and what to read it by."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            yield name, path.stat().st_size, name


def _read_paths(folder: Path, names: list[str]) -> Iterator[bytes | None]:
    for name in names:
        yield (folder / name).read_bytes()


def _list_commit(folder: Path, commit: str) -> Iterator[tuple[str, int, str]]:
    """Name, size in bytes and blob of every file that is no link and no submodule."""
    listing = git(folder, "ls-tree", "-r", "-l", "-z", commit).decode(errors="replace")
    for entry in filter(None, listing.split("\0")):
        fields, _, name = entry.partition("\t")
        mode, kind, blob, size = fields.split()
        if kind == "blob" and mode != "120000":
            yield name, int(size) if size.isdigit() else 0, blob


def _read_blobs(folder: Path, blobs: list[str]) -> Iterator[bytes | None]:
    """Contents in the order asked for; None for a blob that the repository lacks."""
    for first in range(0, len(blobs), _BLOBS_AT_ONCE):
        some = blobs[first : first + _BLOBS_AT_ONCE]
        answer = git(folder, "cat-file", "--batch", stdin="\n".join(some).encode())
        place = 0
        for _ in some:
            end = answer.index(b"\n", place)
            *_, size = answer[place:end].split()
            if size == b"missing":
                yield None
                place = end + 1
            else:
                yield answer[end + 1 : end + 1 + int(size)]
                place = end + 2 + int(size)


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """What git says in a repository. Raises CorpusError with git's own reason."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        env=os.environ | _NO_NETWORK,
    )
    if done.returncode:
        reason = " ".join(done.stderr.decode(errors="replace").split())
        raise CorpusError(f"git could not read {folder}: {reason}")
    return done.stdout
