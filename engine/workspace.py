"""What is known of the workspaces that texts are parts of: an index of all their lines.

A *shard* is about a megabyte of text with its suffix array: where the longest piece of any context
stands once more is a matter of twenty comparisons. Shards never change. A file that changes has its
shard made anew, in the caller's thread, while lookups go on in the old one.
"""

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge

import numpy as np
from numpy.typing import NDArray
from pydivsufsort import divsufsort  # pyright: ignore[reportMissingTypeStubs]

from engine.outline import FILE_END, Outline, joined, joined_margins
from engine.shelves import REACH_BYTES, Match, shared
from engine.types import InfillRequest, WorkspaceChange

SHARD_BYTES = 2**20
MAX_BYTES = 16 * 2**20
"""Of outlined text, in all workspaces together; with suffix arrays it takes five times that."""
_NEIGHBOURS = 100
"""Places looked at on either side of a context: enough, where some are the file's own."""

_FAMILIES = {
    "javascriptreact": "javascript",
    "typescript": "javascript",
    "typescriptreact": "javascript",
    "cpp": "c",
}
"""Languages whose lines may stand in each other's files."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Some files' text, and all its places in the order of what is before them, read backwards.

    spans  where each file is in the text, by name
    """

    text: bytes
    margins: bytes
    spans: dict[str, tuple[int, int]]
    order: NDArray[np.int32]

    @classmethod
    def of(cls, files: dict[str, Outline]) -> "Shard":
        """A shard of the files of these names."""
        spans: dict[str, tuple[int, int]] = {}
        at = 0
        for name, file in files.items():
            spans[name] = (at, at + len(file.text))
            at += len(file.text) + len(FILE_END) + 2
        text = joined(file.text for file in files.values())
        margins = joined_margins(file.margins for file in files.values())
        return cls(text, margins, spans, len(text) - divsufsort(text[::-1]))

    def outlines(self) -> dict[str, Outline]:
        """What the shard was made of."""
        found: dict[str, Outline] = {}
        line = 0
        for name, (start, end) in self.spans.items():
            text = self.text[start:end]
            lines = text.count(b"\n") + 1
            found[name] = Outline(text, self.margins[line : line + lines])
            line += lines + 1
        return found


@dataclass(frozen=True, slots=True)
class Others:
    """A shard without one of its files."""

    shard: Shard
    left_out: str

    @property
    def text(self) -> bytes:
        """As a Shelf has it."""
        return self.shard.text

    @property
    def margins(self) -> bytes:
        """As a Shelf has them."""
        return self.shard.margins

    def matches(self, key: bytes) -> Iterator[Match]:
        """As a Shelf has them: what is next to the key in the order shares most with it."""
        text, order, key = self.text, self.shard.order, key[-REACH_BYTES:]
        start, stop = self.shard.spans.get(self.left_out, (0, -1))

        def before(end: int) -> bytes:
            return text[max(0, end - len(key)) : end][::-1]

        def measured(ends: Iterable[int]) -> Iterator[Match]:
            return (Match(shared(text, end, key), end) for end in ends if not start <= end <= stop)

        middle = bisect_left(order, key[::-1], key=before)
        lower: list[int] = order[max(0, middle - _NEIGHBOURS) : middle][::-1].tolist()
        upper: list[int] = order[middle : middle + _NEIGHBOURS].tolist()
        return merge(measured(lower), measured(upper), reverse=True, key=lambda match: match.shared)


class Workspaces:
    """The indexes of all workspaces, the ones least recently used dropped for room.

    Lookups and changes may come from different threads.
    """

    def __init__(self, limit_bytes: int = MAX_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._shards: OrderedDict[str, dict[str, tuple[Shard, ...]]] = OrderedDict()
        self._changing = threading.Lock()  # a change takes its time, and no lookup waits for it
        self._turning = threading.Lock()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever taken in."""
        return not self._shards

    def around(self, request: InfillRequest) -> list[Others]:
        """What there is to look in beside the request's own text."""
        with self._turning:
            if request.workspace in self._shards:
                self._shards.move_to_end(request.workspace)
            families = self._shards.get(request.workspace, {})
        shards = families.get(_family(request.language), ())
        return [Others(shard, request.file) for shard in shards]

    def change(self, change: WorkspaceChange) -> int:
        """Take in what is new and forget what is gone; returns how many files are kept now.

        A workspace takes no more files once it is full.
        """
        with self._changing:
            families = dict(self._shards.get(change.workspace, {}))
            fresh: dict[str, dict[str, Outline]] = {family: {} for family in families}
            room = self._limit_bytes - _size(families)
            for file in change.files:
                outline = Outline.of(file.text)
                room -= len(outline.text)
                if room >= 0:
                    fresh.setdefault(_family(file.language), {})[file.name] = outline
            stale = {*change.gone, *(file.name for file in change.files)}
            for family, outlines in fresh.items():
                families[family] = tuple(_changed(families.get(family, ()), outlines, stale))
            with self._turning:
                self._shards[change.workspace] = families
                self._shards.move_to_end(change.workspace)
                self._make_room()
        return sum(len(shard.spans) for shards in families.values() for shard in shards)

    def _make_room(self) -> None:
        sizes = {name: _size(families) for name, families in self._shards.items()}
        while len(sizes) > 1 and sum(sizes.values()) > self._limit_bytes:
            oldest, _ = self._shards.popitem(last=False)
            del sizes[oldest]


def _changed(
    shards: Sequence[Shard], fresh: dict[str, Outline], stale: set[str]
) -> Iterator[Shard]:
    """The shards with stale files out and fresh ones in; those without either as they are."""
    loose = dict(fresh)
    for shard in shards:
        is_open = bool(fresh) and len(shard.text) < SHARD_BYTES // 2
        if is_open or not stale.isdisjoint(shard.spans):
            kept = {name: own for name, own in shard.outlines().items() if name not in stale}
            loose = kept | loose
        else:
            yield shard
    batch: dict[str, Outline] = {}
    size = 0
    for name, own in loose.items():
        batch[name] = own
        size += len(own.text)
        if size >= SHARD_BYTES:
            yield Shard.of(batch)
            batch, size = {}, 0
    if batch:
        yield Shard.of(batch)


def _family(language: str) -> str:
    return _FAMILIES.get(language, language)


def _size(families: dict[str, tuple[Shard, ...]]) -> int:
    return sum(len(shard.text) for shards in families.values() for shard in shards)
