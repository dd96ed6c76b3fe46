"""Draws training batches from packed tokens: a chunk of text, and the holes in it.

Each tile of the chunk is filled block after block, as the sampler does with long holes: the block
that starts at token s of a tile that ends at b sees the prefix up to s and the suffix from b. Its
canvas holds the next C tokens of the tile; slots past the tile's end hold `<eom>`. C does not
depend on the tile, so the size of a canvas tells nothing about the length of the hole.

Nor may the amount of context: were both streams cut from the same T tokens, prefix, hole and suffix
would always add up to T, and a model sees how long its streams are. So the text of the suffix
stream is shifted against that of the prefix stream, by a random distance.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from engine.errors import CorpusError
from engine.threads import usable_cores
from engine.tokenizer import EOM, FIRST_TAG, LANGUAGES
from engine.train.pack import TILE_BIT, TOKEN_BITS, Row

_MOST_WORKERS = 8
"""Processes that draw batches for an accelerator: some 3,000 chunks of 256 tokens a second each on
one core of an AMD EPYC."""
_EMPTY_HOLES = 0.06
"""Share of tile edges that also become an empty hole: often there is nothing to add."""
_SHORT = 0.25
"""Share of chunks whose context is at most half as long as usual."""


@dataclass(frozen=True, slots=True)
class Batch:
    """B chunks of T tokens with N holes each.

    tags_B         language tag that opens both streams of a chunk
    tokens_BT      the text of the prefix stream; holes are places in it
    behind_BT      the text of the suffix stream, not yet reversed
    shift_B        by how many tokens it begins and ends later than that of the prefix stream
    start_BN       first token of each canvas; the prefix ends before it
    end_BN         end of its tile; the suffix begins here
    content_BNC    what the canvas should say, `<eom>` past the end of the tile
    used_BN        False for a canvas that only pads the batch
    """

    tags_B: Tensor
    tokens_BT: Tensor
    behind_BT: Tensor
    shift_B: Tensor
    start_BN: Tensor
    end_BN: Tensor
    content_BNC: Tensor
    used_BN: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device; the copy of pinned tensors does not block the host."""
        return Batch(
            *(getattr(self, name).to(device, non_blocking=True) for name in self.__slots__)
        )

    def part(self, rows: slice) -> "Batch":
        """Some of its chunks."""
        return Batch(*(getattr(self, name)[rows] for name in self.__slots__))

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory, as the loader of an accelerator asks for it."""
        return Batch(*(getattr(self, name).pin_memory() for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class BatchShape:
    """chunks B, tokens T per chunk, canvas slots N * C per chunk, and the sizes C to draw from."""

    chunks: int
    tokens: int
    slots: int
    sizes: tuple[int, ...]


class Batches(Dataset[Batch]):
    """The batches of a run, by step; what a step learns from is the same whenever it is drawn.

    packed   rows of packed tokens by language
    weights  by which a chunk's language is drawn; its place is uniform

    Raises CorpusError where no language has text enough for a chunk.
    """

    def __init__(
        self, packed: Mapping[str, Row], weights: dict[str, float], shape: BatchShape, seed: int
    ) -> None:
        self._rows = {name: row for name, row in packed.items() if len(row) > shape.tokens}
        if not self._rows:
            raise CorpusError(f"no language has a chunk of {shape.tokens} tokens: give more code")
        self._names = sorted(self._rows)
        shares = np.array([weights.get(name, 1.0) for name in self._names])
        self._shares, self._shape, self._seed = shares / shares.sum(), shape, seed

    def __getitem__(self, step: int) -> Batch:
        shape, rng = self._shape, np.random.default_rng((self._seed, step))
        drawn: list[int] = rng.choice(len(self._names), shape.chunks, p=self._shares).tolist()
        picked = [self._names[i] for i in drawn]
        size = int(rng.choice(shape.sizes))
        chunks = [_draw_chunk(self._rows[name], shape.tokens, rng) for name in picked]
        holes = [_holes(chunk, size, shape.slots // size, rng) for chunk in chunks]
        return Batch(
            tags_B=torch.tensor([FIRST_TAG + LANGUAGES.index(name) for name in picked]),
            tokens_BT=_stacked([chunk.text for chunk in chunks]),
            behind_BT=_stacked([chunk.behind for chunk in chunks]),
            shift_B=torch.tensor([chunk.shift for chunk in chunks]),
            start_BN=torch.from_numpy(np.stack([hole[0] for hole in holes])),
            end_BN=torch.from_numpy(np.stack([hole[1] for hole in holes])),
            content_BNC=torch.from_numpy(np.stack([hole[2] for hole in holes])),
            used_BN=torch.from_numpy(np.stack([hole[3] for hole in holes])),
        )

    def after(self, step: int, device: torch.device) -> Iterator[Batch]:
        """Endlessly, from the one after `step`; for an accelerator, drawn ahead in processes."""
        if device.type == "cpu":
            return map(self.__getitem__, itertools.count(step + 1))
        loader = DataLoader(
            self,
            batch_size=None,
            sampler=itertools.count(step + 1),
            num_workers=min(_MOST_WORKERS, usable_cores()),
            pin_memory=True,
        )
        return iter(loader)


def _stacked(rows: list[NDArray[np.uint16]]) -> Tensor:
    return torch.from_numpy(np.stack([row & TOKEN_BITS for row in rows]).astype(np.int64))


class _Chunk(NamedTuple):
    """Packed tokens for both streams, and by how much those of the suffix stream are later."""

    text: NDArray[np.uint16]
    behind: NDArray[np.uint16]
    shift: int


def _draw_chunk(row: Row, tokens: int, rng: np.random.Generator) -> _Chunk:
    shift = _draw_shift(tokens, len(row) - tokens - 1, rng)
    start = int(rng.integers(len(row) - tokens - abs(shift)))
    near, far = start + max(0, -shift), start + max(0, shift)
    text, behind = row[near : near + tokens], row[far : far + tokens]
    return _Chunk(np.asarray(text), np.asarray(behind), shift)


def _draw_shift(tokens: int, furthest: int, rng: np.random.Generator) -> int:
    """Mostly little, so that most of the text has both sides; sometimes nearly all: short files."""
    low, high = (
        (-tokens * 15 // 16, -tokens // 2)
        if rng.random() < _SHORT
        else (
            -tokens // 2,
            tokens // 4,
        )
    )
    return min(max(int(rng.integers(low, high + 1)), -furthest), furthest)


def _holes(
    chunk: _Chunk, size: int, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Start [N], end [N], content [N, C] and use [N] of up to `count` canvases of a chunk.

    A hole ends where the suffix stream has text from its end on. In the order of their starts, so
    that canvases side by side see much the same.
    """
    row = chunk.text
    first, last = max(0, chunk.shift), min(len(row), len(row) + chunk.shift)
    edges = np.flatnonzero(row & TILE_BIT)
    edges = edges[(edges >= first) & (edges <= last)]
    if len(edges) < 2:  # one tile fills the chunk: take it whole
        edges = np.array([first, last])
    starts, ends = _blocks(edges, size)
    empty = edges[rng.random(len(edges)) < _EMPTY_HOLES]
    starts, ends = np.concatenate([starts, empty]), np.concatenate([ends, empty])
    picked = rng.permutation(len(starts))[:count]
    picked = picked[np.argsort(starts[picked], kind="stable")]
    start_N, end_N = np.zeros(count, np.int64), np.zeros(count, np.int64)
    start_N[: len(picked)], end_N[: len(picked)] = starts[picked], ends[picked]
    places_NC = start_N[:, None] + np.arange(size)
    tokens = np.append(row & TOKEN_BITS, EOM).astype(np.int64)
    content_NC = np.where(places_NC < end_N[:, None], tokens[np.minimum(places_NC, len(row))], EOM)
    return start_N, end_N, content_NC, np.arange(count) < len(picked)


def _blocks(edges: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Start of every canvas-sized block of every tile, and the end of its tile."""
    begin, end = edges[:-1], edges[1:]
    count = (end - begin) // size + 1
    tile = np.repeat(np.arange(len(begin)), count)
    block = np.arange(len(tile)) - np.repeat(np.cumsum(count) - count, count)
    return begin[tile] + block * size, end[tile]
