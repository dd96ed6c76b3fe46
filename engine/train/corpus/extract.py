"""The work on one repository: its files, judged, and then as tokens. Run in many processes at once.

Each step fills a folder and says in `done.json`, written last, what it was made from; a step that
finds the same there does nothing. So a build that was killed goes on where it was.
"""

import gzip
import hashlib
import json
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from engine.errors import CorpusError
from engine.tokenizer import FILE, Tokenizer
from engine.train.corpus.benchmarks import Benchmarks
from engine.train.corpus.duplicates import Document, digest, line_hashes
from engine.train.corpus.filters import is_test, without_licence_header
from engine.train.corpus.manifest import Repository, licence_text_fault, locate
from engine.train.corpus.sources import Dropped, SourceFile, examine
from engine.train.pack import TOKEN_BITS, pack_files

_RULES = 1
"""Counted up when the same commit would give other files."""
_SMALLEST_CHARACTERS = 200


class Findings(TypedDict):
    """What was found in one repository.

    refused   why none of it may be used, or None
    files     number of files kept
    dropped   number of files left out, by language and reason
    problems  files that hold benchmark problems: path and identifiers
    """

    refused: str | None
    files: int
    dropped: dict[str, dict[str, int]]
    problems: list[tuple[str, list[str]]]


@dataclass(frozen=True, slots=True)
class Extract:
    """The usable files of one repository, kept in a folder."""

    repository: Repository
    folder: Path
    findings: Findings

    def documents(self) -> list[Document]:
        """What is compared with other repositories, one for each text."""
        rows: list[dict[str, Any]] = json.loads((self.folder / "documents.json").read_bytes())
        ends = np.cumsum([row.pop("lines") for row in rows], dtype=np.int64)
        lines = np.split(np.load(self.folder / "lines.npy"), ends[:-1])
        whose: dict[str, Any] = {
            "repo": self.repository.repo,
            "held_out": self.repository.split == "heldout",
        }
        return [Document(**whose, **row, lines=own) for row, own in zip(rows, lines, strict=False)]

    def texts(self) -> Iterator[SourceFile]:
        """The files, in the order of `documents`."""
        with gzip.open(self.folder / "texts.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                yield SourceFile(**json.loads(line))


def extract(
    repository: Repository, mirror: Path | None, work: Path, benchmarks: Benchmarks
) -> Extract:
    """Find, judge and keep the usable files of one repository.

    Raises CorpusError when it cannot be read or the disk does not take them.
    """

    def make(folder: Path) -> Findings:
        place = locate(repository, mirror, work / repository.key)
        refused = licence_text_fault(place, repository.commit)
        files = iter(()) if refused else examine(place, repository.commit)
        wanted = (file for file in files if file.language in repository.languages)
        return _keep(wanted, refused, benchmarks, folder)

    made_from = {
        "rules": _RULES,
        "repository": asdict(repository),
        "benchmarks": benchmarks.checksum,
    }
    folder = work / repository.key / "texts"
    return Extract(repository, folder, _once(folder, made_from, make))


def _keep(
    files: Iterator[SourceFile | Dropped],
    refused: str | None,
    benchmarks: Benchmarks,
    folder: Path,
) -> Findings:
    """Write what is usable, and return what was found."""
    dropped: dict[str, Counter[str]] = defaultdict(Counter)
    problems: list[tuple[str, list[str]]] = []
    rows: list[dict[str, Any]] = []
    lines: list[NDArray[np.uint32]] = [np.empty(0, np.uint32)]
    with gzip.open(folder / "texts.jsonl.gz", "wt", 1, encoding="utf-8") as texts:
        for file in files:
            if isinstance(file, Dropped):
                dropped[file.language][file.reason] += 1
                continue
            text = without_licence_header(file.text)
            if found := benchmarks.found_in(text):
                problems.append((file.path, found))
                dropped[file.language]["benchmark"] += 1
            elif len(text) < _SMALLEST_CHARACTERS:
                dropped[file.language]["too small"] += 1
            else:
                lines.append(line_hashes(text))
                rows.append(_row(file, text, len(lines[-1])))
                texts.write(json.dumps(asdict(SourceFile(file.path, file.language, text))) + "\n")
    (folder / "documents.json").write_text(json.dumps(rows))
    np.save(folder / "lines.npy", np.concatenate(lines))
    counts = {language: dict(reasons) for language, reasons in dropped.items()}
    return Findings(refused=refused, files=len(rows), dropped=counts, problems=problems)


def _row(file: SourceFile, text: str, lines: int) -> dict[str, Any]:
    """A document as JSON; its lines are kept elsewhere, here is their number."""
    return {
        "path": file.path,
        "language": file.language,
        "test": is_test(file.path),
        "size": len(text.encode()),
        "digest": digest(text),
        "lines": lines,
    }


def tokenize(found: Extract, kept: list[bool], tokenizer: Path, seed: int) -> Path:
    """Pack the texts that are kept, a file for each language; returns their folder.

    Raises CorpusError when the disk does not take them.
    """

    def make(folder: Path) -> dict[str, int]:
        files = [file for file, keep in zip(found.texts(), kept, strict=True) if keep]
        rng = random.Random(f"{seed} {found.repository.repo}")
        counts: dict[str, int] = {}
        for language in sorted({file.language for file in files}):
            own = [file for file in files if file.language == language]
            tokens = pack_files(own, Tokenizer.load(tokenizer), rng)
            (folder / f"{language}.u16").write_bytes(tokens.data)
            counts[language] = len(tokens)
        return counts

    made_from = {
        "texts": json.loads((found.folder / "done.json").read_bytes())["made_from"],
        "kept": hashlib.sha256(bytes(kept)).hexdigest(),
        "tokenizer": hashlib.sha256(tokenizer.read_bytes()).hexdigest(),
        "seed": seed,
    }
    folder = found.folder.with_name("tokens")
    _once(folder, made_from, make)
    return folder


def token_rows(folder: Path, language: str) -> list[NDArray[np.uint16]]:
    """The tokens of each file that `tokenize` packed in a language, memory-mapped."""
    path = folder / f"{language}.u16"
    if not path.exists():
        return []
    tokens = np.memmap(path, np.uint16, "r")
    starts = np.flatnonzero((tokens & TOKEN_BITS) == FILE)
    return np.split(tokens, starts[1:])


def _once(folder: Path, made_from: dict[str, Any], make: Callable[[Path], Any]) -> Any:  # noqa: ANN401
    """What `make` returned for the folder, now or earlier, as JSON has it."""
    made_from = json.loads(json.dumps(made_from))
    try:
        done = json.loads((folder / "done.json").read_bytes())
        if done["made_from"] == made_from:
            return done["made"]
    except (OSError, ValueError, KeyError):
        pass  # not made yet, or not to its end
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        done = {"made_from": made_from, "made": make(fresh)}
        (fresh / "done.json").write_text(json.dumps(done))
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise CorpusError(
            f"{folder} could not be written ({error}): free some space and build again, it goes on"
            " from here"
        ) from error
    return json.loads((folder / "done.json").read_bytes())["made"]
