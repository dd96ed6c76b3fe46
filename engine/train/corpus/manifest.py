"""A manifest: the repositories a corpus is made of, at which commits, under which licences.

A JSON list of objects:

    repo       "owner/name"
    commit     the whole hash
    spdx       the licence, as an SPDX expression
    split      "train", or "heldout" for what is measured on and never trained on
    source     where to get it: a folder, an address for git, or "github:owner/name"
    languages  optional: only these, by name (a mapping of facts to names will do)

Only permissive licences are admitted: what is learned from may be said again.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cattrs

from engine.errors import CorpusError
from engine.train.corpus.filters import SUFFIXES
from engine.train.corpus.sources import git

ALLOWED_LICENCES = frozenset(
    [
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "ISC",
        "MIT",
        "MIT-0",
        "NCSA",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
        "Zlib",
    ]
)
_EXCEPTIONS = (" WITH LLVM-exception",)

_LICENCE_FILE = re.compile(r"(licen[sc]e|copying|unlicen[sc]e|notice)", re.IGNORECASE)
_PERMISSIVE_TEXT = re.compile(
    r"Permission is hereby granted, free of charge|Apache License"
    r"|Redistribution and use in source and binary forms"
    r"|Permission to use, copy, modify, and(/or)? distribute|free and unencumbered software"
    r"|Boost Software License|PYTHON SOFTWARE FOUNDATION LICENSE|CC0 1\.0|'as-is', without any",
    re.IGNORECASE,
)
_SOURCE_AVAILABLE_TEXT = re.compile(
    r"Business Source License|Server Side Public License|Elastic License|Commons Clause",
    re.IGNORECASE,
)

_GROUPS = {"tsjs": ("javascript", "typescript"), "ccpp": ("c", "cpp")}
"""Names for two languages at once that a manifest may use."""


@dataclass(frozen=True, slots=True)
class Repository:
    """One line of a manifest; see the head of this file."""

    repo: str
    commit: str
    spdx: str
    split: Literal["train", "heldout"]
    source: str
    languages: tuple[str, ...] = tuple(SUFFIXES)

    @property
    def key(self) -> str:
        """A name for files: owner+name."""
        return self.repo.replace("/", "+")


def read_manifest(path: Path) -> list[Repository]:
    """The repositories, those held out first. Raises CorpusError naming what cannot be read."""
    try:
        rows: list[dict[str, object]] = json.loads(path.read_bytes())
        found = cattrs.structure([row | _languages(row) for row in rows], list[Repository])
    except OSError as error:
        raise CorpusError(f"the manifest {path} cannot be read: {error.strerror}") from error
    except Exception as error:  # JSON, cattrs and wrong types each have their own
        raise CorpusError(
            f"{path} is not a manifest: it should be a JSON list of objects with repo, commit,"
            " spdx, split and source"
        ) from error
    if not found:
        raise CorpusError(f"the manifest {path} names no repository")
    return sorted(found, key=lambda repository: repository.split != "heldout")


def _languages(row: dict[str, object]) -> dict[str, object]:
    """The row's languages, groups taken apart."""
    named = row.get("languages")
    if not isinstance(named, Iterable):
        return {}
    return {"languages": [one for name in named for one in _GROUPS.get(str(name), (str(name),))]}


def licence_fault(spdx: str) -> str | None:
    """What is wrong with a licence; None for one of the allowed, or a choice that has one."""
    for choice in spdx.split(" OR "):
        terms = choice.split(" AND ")
        for exception in _EXCEPTIONS:
            terms = [term.removesuffix(exception) for term in terms]
        if ALLOWED_LICENCES.issuperset(terms):
            return None
    return f"its licence, {spdx}, is not on the list of allowed ones"


def licence_text_fault(folder: Path, commit: str) -> str | None:
    """What is wrong with the licence as the root of a commit has it; None for a permissive text."""
    names = git(folder, "ls-tree", "--name-only", "-z", commit).decode(errors="replace").split("\0")
    found = [name for name in names if _LICENCE_FILE.match(name)]
    texts = [git(folder, "cat-file", "-p", f"{commit}:{name}") for name in found]
    text = "\n".join(content.decode(errors="replace") for content in texts)
    if _SOURCE_AVAILABLE_TEXT.search(text):
        return "its root holds a licence that only lets the source be seen"
    if not _PERMISSIVE_TEXT.search(text):
        return f"no permissive licence text in its root (found: {', '.join(found) or 'none'})"
    return None


def locate(repository: Repository, mirror: Path | None, cache: Path) -> Path:
    """A git folder that has the commit: in the mirror, the source itself, or fetched into `cache`.

    Raises CorpusError, with git's reason, where it cannot be had.
    """
    places = [Path(repository.source)]
    if mirror:
        named = mirror / repository.key
        places = [mirror / repository.repo, named / "repo", named, named.with_suffix(".git")]
    for place in places:
        if (place / ".git").exists() or (place / "objects").is_dir():
            return place
    if repository.source.startswith("github:"):
        address = f"https://github.com/{repository.source.removeprefix('github:')}"
    else:
        address = repository.source
    fetched = cache / "git"
    fetched.mkdir(parents=True, exist_ok=True)
    git(fetched, "init", "-q", "--bare")
    git(fetched, "fetch", "-q", "--depth", "1", "--", address, repository.commit)
    return fetched
