"""Holes with a known answer, cut from held-out files, and what the cheap rivals put there."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

from rapidfuzz import fuzz, process

from engine.train.corpus import SourceFile
from engine.train.corpus.duplicates import line_hashes
from engine.types import InfillRequest, Span

Kind = Literal["rest-of-line", "whole-line", "multi-line", "random-span", "in-brackets"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_MULTI_LINES = (2, 3, 4)
_SPAN_CHARACTERS = (4, 60)
_CLOSERS = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}
_COPIED = 0.5
"""Share of a file's lines."""


@dataclass(frozen=True, slots=True)
class Item:
    """A hole and the text that was in it. `start` and `end` count characters of `file.text`.

    A hole in brackets is as it is while a line is typed in an editor that closes what is opened:
    behind it on the line there are closing brackets and quotes, and nothing else yet.
    """

    file: SourceFile
    kind: Kind
    start: int
    end: int

    @property
    def truth(self) -> str:
        """What was in the hole."""
        return self.file.text[self.start : self.end]

    @property
    def span(self) -> Span:
        """The hole in bytes."""
        before = len(self.file.text[: self.start].encode())
        return Span(before, before + len(self.truth.encode()))

    @property
    def max_lines(self) -> int:
        """Lines a user would let the server fill here."""
        return 10 if self.kind in ("multi-line", "random-span") else 1

    def request(self, budget_ms: float, length_tokens: int | None = None) -> InfillRequest:
        """To fill the hole, in the file's project."""
        return InfillRequest(
            self.file.text.encode(),
            self.span,
            self.file.language,
            self.max_lines,
            length_tokens,
            budget_ms,
            workspace=project_of(self.file),
            file=self.file.path,
        )


def draw_items(files: list[SourceFile], per_kind: int, seed: int) -> list[Item]:
    """`per_kind` items of every kind, at most one of each kind per file, languages in rotation."""
    items: list[Item] = []
    for kind in KINDS:
        rng = random.Random(f"{seed} {kind}")
        found = (_draw(file, kind, rng) for file in _rotated(files, rng))
        items += [item for item, _ in zip(filter(None, found), range(per_kind), strict=False)]
    return items


def project_of(file: SourceFile) -> str:
    """The first folder of a file's path: what it is a part of."""
    return file.path.partition("/")[0]


def without_copies(files: list[SourceFile]) -> list[SourceFile]:
    """The files most of whose lines do not stand together in another file of the project too."""
    lines = {file.path: set(line_hashes(file.text).tolist()) for file in files}
    projects: dict[str, list[set[int]]] = {}
    for file in files:
        projects.setdefault(project_of(file), []).append(lines[file.path])

    def is_copied(file: SourceFile) -> bool:
        own = lines[file.path]
        others = (other for other in projects[project_of(file)] if other is not own)
        return any(len(own & other) >= _COPIED * len(own) for other in others)

    return [file for file in files if not is_copied(file)]


def _rotated(files: list[SourceFile], rng: random.Random) -> list[SourceFile]:
    """Shuffled, one of each language in turn."""
    shuffled = rng.sample(files, len(files))
    rank: dict[str, int] = {}
    order: list[tuple[int, str, SourceFile]] = []
    for file in shuffled:
        rank[file.language] = rank.get(file.language, 0) + 1
        order.append((rank[file.language], file.language, file))
    return [file for _, _, file in sorted(order, key=lambda entry: entry[:2])]


def _draw(file: SourceFile, kind: Kind, rng: random.Random) -> Item | None:
    if kind == "random-span":
        length = rng.randint(*_SPAN_CHARACTERS)
        start = rng.randrange(max(1, len(file.text) - length))
        item = Item(file, kind, start, min(len(file.text), start + length))
        return item if item.truth.strip() else None
    lines = _line_spans(file.text)
    if kind == "in-brackets":
        return _draw_in_brackets(file, lines, rng)
    count = rng.choice(_MULTI_LINES) if kind == "multi-line" else 1
    if len(lines) < count + 2:
        return None
    first = rng.randrange(1, len(lines) - count)
    start, end = lines[first][0], lines[first + count - 1][1]
    start += len(file.text[start:end]) - len(file.text[start:end].lstrip())
    if end - start < 4 or "\n" in file.text[lines[first][0] : start]:
        return None
    if kind == "rest-of-line":
        start = rng.randrange(start + 1, end)
    return Item(file, kind, start, end)


def _draw_in_brackets(
    file: SourceFile, lines: list[tuple[int, int]], rng: random.Random
) -> Item | None:
    places = [
        (begin + start, begin + end, stop, closers)
        for begin, stop in lines
        for start, end, closers in _closed(file.text[begin:stop])
        if file.text[begin + start : begin + end].strip()
    ]
    if not places:
        return None
    start, end, stop, closers = rng.choice(places)
    typed = replace(file, text=file.text[:end] + closers + file.text[stop:])
    return Item(typed, "in-brackets", start, end)


def _closed(line: str) -> Iterator[tuple[int, int, str]]:
    """Where the inside of brackets or quotes starts and ends, and what closes all that is open."""
    opened: list[tuple[str, int]] = []
    for at, mark in enumerate(line if "\\" not in line else ""):
        if opened and mark == opened[-1][0]:
            closers = "".join(closer for closer, _ in reversed(opened))
            yield opened.pop()[1], at, closers
        elif mark in _CLOSERS and not (opened and opened[-1][0] in "\"'"):
            opened.append((_CLOSERS[mark], at + 1))


def _line_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each line, its line break left out."""
    spans: list[tuple[int, int]] = []
    start = 0
    for line in text.split("\n"):
        spans.append((start, start + len(line)))
        start += len(line) + 1
    return spans


def repeat_similar_line(item: Item) -> str:
    """The rival: what stands where an earlier place of the file looks most like this one.

    Alike means: the line before and what is typed of this line. It is told how many lines the hole
    has, or where the rest of the line goes on, how many characters; a real rival would not know.
    """
    before = item.file.text[: item.start].split("\n")
    typed, earlier = before[-1], before[:-1]
    if len(earlier) < 2:
        return ""
    keys = [f"{earlier[i - 1]}\n{earlier[i][: len(typed)]}" for i in range(1, len(earlier))]
    best = process.extractOne(f"{earlier[-1]}\n{typed}", keys, scorer=fuzz.ratio)
    place = best[2] + 1
    count = item.truth.count("\n") + 1
    text = "\n".join(earlier[place : place + count])[len(typed) :]
    return text[: len(item.truth)] if item.kind in ("random-span", "in-brackets") else text
