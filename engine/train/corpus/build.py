"""From a manifest to packed tokens.

    manifest -admit-> repositories -extract-> texts -choose-> kept -tokenize-> tokens -> parts

`OUT/work` holds what each repository gave, so that a build that was killed, or one with a changed
manifest, repeats only what it must. It may be deleted when all is done.
"""

import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import CorpusError
from engine.tokenizer import LANGUAGES, Tokenizer
from engine.train.corpus.benchmarks import Benchmarks
from engine.train.corpus.duplicates import Document, copy_faults
from engine.train.corpus.extract import Extract, extract, token_rows, tokenize
from engine.train.corpus.manifest import Repository, licence_fault, read_manifest
from engine.train.corpus.report import Report, make_report, write_report
from engine.train.mix import SAMPLE_SIZE, sample
from engine.train.pack import SPLITS, Split, write_packed

STAGES = ("reading", "comparing", "learning a vocabulary", "packing")
Progress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done and how much there is."""

_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a corpus is made of, and how.

    mirror      folder of git repositories, looked into before anything is fetched
    benchmarks  JSONL files of problems whose text must not be learned
    excluded    repositories that must not be learned, as owner/name
    mix         weight of each language
    test_share  the most that test code may be of a language, 0 to 1
    tokenizer   tokenizer.json to pack with; None: learn one of `vocabulary` tokens
    jobs        processes at once
    """

    manifest: Path
    out: Path
    mirror: Path | None
    benchmarks: tuple[Path, ...]
    excluded: frozenset[str]
    mix: dict[str, float]
    test_share: float
    tokenizer: Path | None
    vocabulary: int
    jobs: int
    seed: int = 0


def build(recipe: Recipe, progress: Progress) -> Report:
    """Make the corpus, or finish one that was begun.

    Raises CorpusError, in one sentence, for what cannot be read or written.
    """
    admitted, refused = admit(read_manifest(recipe.manifest), recipe.excluded)
    benchmarks = Benchmarks.read(recipe.benchmarks)
    work = recipe.out / "work"
    with ProcessPoolExecutor(recipe.jobs, get_context("spawn"), end_with_parent) as pool:
        jobs = [partial(extract, one, recipe.mirror, work, benchmarks) for one in admitted]
        extracts = _all(pool, jobs, partial(progress, "reading"))
        progress("comparing", 0, 1)
        documents = [document for found in extracts for document in found.documents()]
        faults = choose(documents, recipe.test_share, recipe.seed)
        kept = [fault is None for fault in faults]
        progress("comparing", 1, 1)
        progress("learning a vocabulary", 0, 1)
        tokenizer = _tokenizer(recipe, extracts, documents, kept)
        progress("learning a vocabulary", 1, 1)
        jobs = [
            partial(tokenize, found, own, tokenizer, recipe.seed)
            for found, own in zip(extracts, _by_repository(extracts, kept), strict=True)
        ]
        folders = _all(pool, jobs, partial(progress, "packing"))
    rows: dict[tuple[Split, str], Iterator[NDArray[np.uint16]]] = {
        (split, language): _shuffled(extracts, folders, split, language, recipe.seed)
        for split in SPLITS
        for language in LANGUAGES
    }
    packed = write_packed(recipe.out, rows, Tokenizer.load(tokenizer).size, recipe.mix)
    report = make_report(extracts, refused, documents, faults, packed.parts)
    write_report(report, recipe.out)
    return report


def end_with_parent() -> None:
    """Let this process end when the one that started it does, however that ends.

    The workers of a pool whose owner was killed would otherwise wait for work for ever.
    """

    def wait() -> None:
        if parent := parent_process():
            parent.join()
            os._exit(1)

    Thread(target=wait, daemon=True).start()


def admit(
    repositories: Sequence[Repository], excluded: frozenset[str]
) -> tuple[list[Repository], dict[str, str]]:
    """Repositories whose stated licence lets them in, and why the others stay out."""
    names = {name.lower() for name in excluded}
    refused: dict[str, str] = {}
    for repository in repositories:
        if repository.repo.lower() in names:
            refused[repository.repo] = "it is excluded"
        elif fault := licence_fault(repository.spdx):
            refused[repository.repo] = fault
    return [one for one in repositories if one.repo not in refused], refused


def choose(documents: Sequence[Document], test_share: float, seed: int) -> list[str | None]:
    """Why each document is left out, or None: a copy, or a test beyond the share of tests."""
    faults = copy_faults(documents)
    for language in {document.language for document in documents}:
        own = [
            (place, document)
            for place, document in enumerate(documents)
            if document.language == language and not document.held_out and not faults[place]
        ]
        other_size = sum(document.size for _, document in own if not document.test)
        room = other_size * test_share / (1 - test_share)
        tests = [(place, document) for place, document in own if document.test]
        random.Random(f"{seed} {language}").shuffle(tests)
        for place, document in tests:
            room -= document.size
            if room < 0:
                faults[place] = "surplus test"
    return faults


def _all(
    pool: ProcessPoolExecutor,
    jobs: Sequence[Callable[[], _R]],
    progress: Callable[[int, int], None],
) -> list[_R]:
    """The results of all jobs, in their order; the first failure ends the others."""
    futures = [pool.submit(job) for job in jobs]
    progress(0, len(jobs))
    try:
        for count, future in enumerate(as_completed(futures), 1):
            future.result()
            progress(count, len(jobs))
    except BrokenProcessPool as error:
        raise CorpusError(
            "a process of the build was killed, most likely for want of memory: build again with"
            " fewer --jobs, it goes on from here"
        ) from error
    finally:
        for future in futures:
            future.cancel()  # those that have not begun
    return [future.result() for future in futures]


def _by_repository(extracts: Sequence[Extract], flags: Sequence[bool]) -> list[list[bool]]:
    """Flags of all documents, cut where repositories end."""
    left = iter(flags)
    return [list(islice(left, found.findings["files"])) for found in extracts]


def _tokenizer(
    recipe: Recipe, extracts: Sequence[Extract], documents: Sequence[Document], kept: list[bool]
) -> Path:
    """The tokenizer of the corpus: given, there from before, or learned from what is kept."""
    path = recipe.out / "tokenizer.json"
    if recipe.tokenizer:
        shutil.copyfile(recipe.tokenizer, path)
    elif not path.exists():
        usable = [d for d, keep in zip(documents, kept, strict=True) if keep and not d.held_out]
        drawn = {(d.repo, d.path) for d in sample(usable, recipe.mix, SAMPLE_SIZE)}
        texts = (
            file.text
            for found in extracts
            for file in found.texts()
            if (found.repository.repo, file.path) in drawn
        )
        Tokenizer.train(texts, recipe.vocabulary).save(path)
    return path


def _shuffled(
    extracts: Sequence[Extract], folders: Sequence[Path], split: Split, language: str, seed: int
) -> Iterator[NDArray[np.uint16]]:
    """The tokens of each file of a split and language, in random order, whatever their repository.

    Any prefix of the parts is so a fair sample of all.
    """
    files = [
        row
        for found, folder in zip(extracts, folders, strict=True)
        if (found.repository.split == "heldout") == (split == "valid")
        for row in token_rows(folder, language)
    ]
    random.Random(f"{seed} {split} {language}").shuffle(files)
    return iter(files)
