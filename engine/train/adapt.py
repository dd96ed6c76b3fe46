"""A model on one project: which files it learns from and which it is measured on."""

import hashlib
from dataclasses import dataclass

from engine.errors import CorpusError
from engine.train.corpus import SourceFile
from engine.train.corpus.secrets import without_secrets
from engine.train.items import Item, draw_items

_HELD_OUT = 0.15
_MOST_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Project:
    """The files of a project: to learn from, to measure on, and those that hold secrets."""

    learned: list[SourceFile]
    held_out: list[SourceFile]
    secret: list[SourceFile]


def divide(files: list[SourceFile]) -> Project:
    """Hold out a seventh of the files, the same ones whenever the project is adapted to anew.

    Raises CorpusError where there are not two files without secrets.
    """
    sound, secret = without_secrets(files)
    sound.sort(key=lambda file: hashlib.sha256(file.path.encode()).digest())
    if len(sound) < 2:
        raise CorpusError(
            f"the project has {len(sound)} usable files, {len(secret)} more hold secrets: it takes"
            " two, one to learn from and one to measure on"
        )
    count = max(1, round(_HELD_OUT * len(sound)))
    return Project(sound[count:], sound[:count], secret)


def draw_holes(files: list[SourceFile], per_kind: int) -> list[Item]:
    """About `per_kind` holes of every kind; where files are few, several of each."""
    rounds = min(_MOST_ROUNDS, -(-per_kind // len(files)))
    drawn = [
        item for seed in range(rounds) for item in draw_items(files, -(-per_kind // rounds), seed)
    ]
    return list(dict.fromkeys(drawn))
