"""Finds problems of benchmarks in code, so that nobody is examined on what they learned by heart.

A file holds a problem when it shares 13 words in a row with it, prompt and solution taken together,
the customary length.
"""

import gzip
import json
import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from engine.errors import CorpusError

GRAM_WORDS = 13

_FIELDS = ("text", "prompt", "canonical_solution", "code", "ground_truth", "suffix")
"""Of HumanEval, MBPP, HumanEval-Infilling and SAFIM."""
_WORD = re.compile(r"\w+")


class Benchmarks:
    """The problems of some benchmarks, ready to be looked for."""

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        """Problems as (identifier, text)."""
        self._problem_of: dict[str, str] = {}
        for identifier, text in problems:
            for gram in _grams(text):
                self._problem_of[gram] = identifier
        self._first_words = {gram.partition(" ")[0] for gram in self._problem_of}
        self.checksum = sha256("\n".join(sorted(self._problem_of)).encode()).hexdigest()

    @classmethod
    def read(cls, paths: Iterable[Path]) -> "Benchmarks":
        """Read JSONL files of problems, gzipped or not. Raises CorpusError naming a bad one."""
        return cls(problem for path in paths for problem in _problems(path))

    def found_in(self, text: str) -> list[str]:
        """Identifiers of the problems that the text holds, sorted."""
        if not self._problem_of:
            return []
        words = _WORD.findall(text)
        grams = (
            " ".join(words[i : i + GRAM_WORDS])
            for i, word in enumerate(words)
            if word in self._first_words
        )
        return sorted({self._problem_of[gram] for gram in grams if gram in self._problem_of})


def _grams(text: str) -> Iterable[str]:
    words = _WORD.findall(text)
    return (" ".join(words[i : i + GRAM_WORDS]) for i in range(len(words) - GRAM_WORDS + 1))


def _problems(path: Path) -> Iterable[tuple[str, str]]:
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        return [
            (str(row.get("task_id", f"{path.name}:{number}")), _text(row))
            for number, row in enumerate(rows, 1)
        ]
    except (OSError, ValueError, AttributeError) as error:
        raise CorpusError(
            f"{path} is not a list of problems: give JSON lines with prompt and solution ({error})"
        ) from error


def _text(row: dict[str, object]) -> str:
    return "".join(str(row[field]) for field in _FIELDS if field in row)
