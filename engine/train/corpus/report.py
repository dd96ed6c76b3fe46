"""What a build found and left out, as report.json beside the tokens."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cattrs

from engine.errors import CorpusError
from engine.train.corpus.duplicates import Document
from engine.train.corpus.extract import Extract
from engine.train.pack import Part


@dataclass(frozen=True, slots=True)
class Ingredient:
    """One repository of a corpus. `files` and `size_bytes` are what was kept of it."""

    repo: str
    commit: str
    spdx: str
    split: str
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Share:
    """What a corpus has of one language, both splits together; `tests` is a share of the bytes."""

    files: int
    size_bytes: int
    tests: float
    train_tokens: int
    valid_tokens: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a build found.

    refused   repositories that stay out, and why
    problems  files left out because they hold benchmark problems: repository, path, identifiers
    dropped   number of files left out, by language and reason
    """

    repositories: list[Ingredient]
    refused: dict[str, str]
    problems: list[tuple[str, str, list[str]]]
    dropped: dict[str, dict[str, int]]
    languages: dict[str, Share]


def make_report(
    extracts: Sequence[Extract],
    refused: dict[str, str],
    documents: Sequence[Document],
    faults: Sequence[str | None],
    parts: Sequence[Part],
) -> Report:
    """Count what was found. `faults` says of each document why it is left out, or None."""
    kept = [document for document, fault in zip(documents, faults, strict=True) if not fault]
    dropped: dict[str, Counter[str]] = defaultdict(Counter)
    for found in extracts:
        for language, reasons in found.findings["dropped"].items():
            dropped[language].update(reasons)
    for document, fault in zip(documents, faults, strict=True):
        if fault:
            dropped[document.language][fault] += 1
    by_text = {e.repository.repo: e.findings["refused"] for e in extracts}
    return Report(
        repositories=[_ingredient(found, kept) for found in extracts],
        refused=refused | {repo: fault for repo, fault in by_text.items() if fault},
        problems=[
            (found.repository.repo, path, identifiers)
            for found in extracts
            for path, identifiers in found.findings["problems"]
        ],
        dropped={language: dict(reasons) for language, reasons in sorted(dropped.items())},
        languages={
            language: _share(language, kept, parts)
            for language in sorted({document.language for document in kept})
        },
    )


def _ingredient(found: Extract, kept: Iterable[Document]) -> Ingredient:
    whose = found.repository
    own = [document.size for document in kept if document.repo == whose.repo]
    return Ingredient(whose.repo, whose.commit, whose.spdx, whose.split, len(own), sum(own))


def _share(language: str, kept: Iterable[Document], parts: Iterable[Part]) -> Share:
    own = [document for document in kept if document.language == language]
    size = sum(document.size for document in own)
    tests = sum(document.size for document in own if document.test)
    tokens: Counter[str] = Counter()
    for part in parts:
        tokens[part.split] += part.tokens if part.language == language else 0
    return Share(len(own), size, tests / size, tokens["train"], tokens["valid"])


def write_report(report: Report, folder: Path) -> None:
    """Write report.json."""
    (folder / "report.json").write_text(json.dumps(asdict(report), indent=1) + "\n")


def read_report(folder: Path) -> Report:
    """What `write_report` wrote. Raises CorpusError for any other folder."""
    try:
        return cattrs.structure(json.loads((folder / "report.json").read_bytes()), Report)
    except Exception as error:  # JSON and cattrs each have many ways to say it
        raise CorpusError(f"{folder} holds no report of a built corpus: {error}") from error
