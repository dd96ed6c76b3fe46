"""Finds copies: the same text, nearly the same text, and text that is held out.

Two files are near copies when the sets of their lines overlap by 0.7 (Jaccard), estimated by
MinHash. A file leaks when half of its lines stand in held-out files of its language. Lines that
many files share, such as imports, say nothing and do not count.
"""

import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LINE_CHARACTERS = 8
_COMMON_FILES = 100
_FEW_LINES = 8
_NEAR = 0.7
_LEAK = 0.5
_PERMUTATIONS, _SEED = 128, 1


@dataclass(frozen=True, slots=True)
class Document:
    """What is compared of a file.

    digest  of its text, blanks aside
    lines   hashes of its lines, sorted, each once
    size    bytes
    """

    repo: str
    path: str
    language: str
    held_out: bool
    test: bool
    size: int
    digest: str
    lines: NDArray[np.uint32]


def digest(text: str) -> str:
    """The same for texts that differ in nothing but blanks."""
    return hashlib.sha256(re.sub(r"\s+", " ", text).strip().encode()).hexdigest()


def line_hashes(text: str) -> NDArray[np.uint32]:
    """Hashes of the lines that say anything, sorted, each once."""
    lines = {line.strip() for line in text.split("\n")}
    hashes = [zlib.crc32(line.encode()) for line in lines if len(line) >= _LINE_CHARACTERS]
    return np.unique(np.array(hashes, np.uint32))


def copy_faults(documents: Sequence[Document]) -> list[str | None]:
    """Why each document is a copy, in its order, or None. Of equals the first stays."""
    faults: list[str | None] = [None] * len(documents)
    seen: set[str] = set()
    for place, document in enumerate(documents):
        if document.digest in seen:
            faults[place] = "copy"
        seen.add(document.digest)
    telling = _telling_lines(documents)
    for place in _leaks(documents, telling):
        faults[place] = faults[place] or "held-out text"
    for language in {document.language for document in documents}:
        own = [i for i, document in enumerate(documents) if document.language == language]
        for place in _near_copies(telling, [i for i in own if faults[i] is None]):
            if not documents[place].held_out:
                faults[place] = "near copy"
    return faults


def _telling_lines(documents: Sequence[Document]) -> list[NDArray[np.uint32]]:
    """The lines of each document, less those that very many have."""
    every = np.concatenate([document.lines for document in documents] or [np.empty(0, np.uint32)])
    hashes, counts = np.unique(every, return_counts=True)
    common = hashes[counts > _COMMON_FILES]
    return [document.lines[~_in_sorted(document.lines, common)] for document in documents]


def _in_sorted(values: NDArray[np.uint32], these: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which values are among `these`, which are sorted: fast for few values among many."""
    if not len(these):
        return np.zeros(len(values), np.bool_)
    places = np.minimum(np.searchsorted(these, values), len(these) - 1)
    return these[places] == values


def _leaks(documents: Sequence[Document], telling: list[NDArray[np.uint32]]) -> list[int]:
    """Places of documents to train on that are for the greater part held-out text."""
    found: list[int] = []
    for language in {document.language for document in documents}:
        places = [i for i, document in enumerate(documents) if document.language == language]
        held = [telling[i] for i in places if documents[i].held_out]
        if not held:
            continue
        these = np.unique(np.concatenate(held))
        trained = [i for i in places if not documents[i].held_out]
        found += [
            i
            for i in trained
            if len(telling[i]) >= _FEW_LINES and _in_sorted(telling[i], these).mean() >= _LEAK
        ]
    return found


def _near_copies(telling: list[NDArray[np.uint32]], places: list[int]) -> list[int]:
    """The places whose lines are nearly those of an earlier one."""
    rensa: Any = import_module("rensa")  # it has no types
    kept = rensa.RMinHashDeduplicator(_NEAR, _PERMUTATIONS, use_lsh=True, seed=_SEED)
    found: list[int] = []
    for place in places:
        if len(telling[place]) < _FEW_LINES:
            continue
        sketch = rensa.RMinHash(_PERMUTATIONS, _SEED)
        sketch.update([str(line) for line in telling[place].tolist()])
        if not kept.add(str(place), sketch):
            found.append(place)
    return found
