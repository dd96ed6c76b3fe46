"""Packed tokens: what training reads, as parts of uint16 that memory-map.

The low 15 bits are the token; the top bit says that a tile (a future hole) begins here. Files are
shuffled, joined and parted by `<file>`. A folder of packed tokens holds

    packed.json              written last: every part with its count and SHA-256, and the mix
    train-python-000.u16     parts of one long row for each split and language, 64 MB at most

and moves between machines as it is.
"""

import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, get_args

import cattrs
import numpy as np
from numpy.typing import NDArray

from engine.errors import CorpusError
from engine.tokenizer import FILE, LANGUAGES, Tokenizer
from engine.train.corpus import SourceFile
from engine.train.tiles import tile

TILE_BIT = 0x8000
TOKEN_BITS = 0x7FFF
PART_TOKENS = 32_000_000
"""64 MB."""

Split = Literal["train", "valid"]
SPLITS: tuple[Split, ...] = get_args(Split)


class Row(Protocol):
    """Tokens one after the other: an array, or `Tokens`."""

    def __len__(self) -> int: ...

    def __getitem__(self, span: slice, /) -> NDArray[np.uint16]: ...


class Tokens:
    """One long row kept in parts; a slice that spans parts is joined."""

    def __init__(self, parts: Sequence[NDArray[np.uint16]]) -> None:
        self._parts = parts
        self._ends: list[int] = np.cumsum([len(part) for part in parts]).tolist()

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, span: slice, /) -> NDArray[np.uint16]:
        start, stop, _ = span.indices(len(self))
        begins = [0, *self._ends]
        pieces = [
            part[max(0, start - begin) : max(0, stop - begin)]
            for part, begin in zip(self._parts, begins, strict=False)
        ]
        return np.concatenate(pieces)


@dataclass(frozen=True, slots=True)
class Part:
    """One file of tokens. `sha256` is over its bytes, hexadecimal."""

    name: str
    split: Split
    language: str
    tokens: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Packed:
    """What packed.json says.

    vocabulary  tokens of the tokenizer that packed
    mix         weight of each language when batches are drawn; empty: the trainer's own
    folder      where the parts lie, if elsewhere than beside packed.json
    """

    vocabulary: int
    parts: list[Part]
    mix: dict[str, float]
    folder: str | None = None

    def tokens(self, split: Split) -> int:
        """Tokens of one split, all languages together."""
        return sum(part.tokens for part in self.parts if part.split == split)


def pack(
    files: Iterable[SourceFile], tokenizer: Tokenizer, folder: Path, held_out: float, seed: int
) -> None:
    """Shuffle and pack files, the share `held_out` (0 to 1) of them for the validation set.

    Raises CorpusError when there is no usable file or the disk does not take them.
    """
    rng = random.Random(seed)
    shuffled = sorted(files, key=lambda file: file.path)
    if not shuffled:
        raise CorpusError("no usable source file was found: see engine/train/corpus for the rules")
    rng.shuffle(shuffled)
    rows: dict[tuple[Split, str], Iterable[NDArray[np.uint16]]] = {}
    for language in LANGUAGES:
        own = [file for file in shuffled if file.language == language]
        valid = round(len(own) * held_out) if len(own) > 1 else 0
        rows["valid", language] = [pack_files(own[:valid], tokenizer, rng)]
        rows["train", language] = [pack_files(own[valid:], tokenizer, rng)]
    write_packed(folder, rows, tokenizer.size, {})


def pack_files(
    files: Sequence[SourceFile], tokenizer: Tokenizer, rng: random.Random
) -> NDArray[np.uint16]:
    """Tokens of all files in their order, with `<file>` before each and a bit at every tile."""
    parts: list[NDArray[np.uint16]] = []
    for file in files:
        pieces = [piece.encode() for piece in tile(file.text, rng)]
        ids = tokenizer.encode_pieces(pieces)
        ids = [piece for piece in ids if piece]
        row = np.concatenate([np.asarray(piece, np.uint16) for piece in ids])
        starts = np.cumsum([0, *(len(piece) for piece in ids[:-1])])
        row[starts] |= TILE_BIT
        parts += [np.asarray([FILE | TILE_BIT], np.uint16), row]
    return np.concatenate(parts) if parts else np.empty(0, np.uint16)


def write_packed(
    folder: Path,
    rows: Mapping[tuple[Split, str], Iterable[NDArray[np.uint16]]],
    vocabulary: int,
    mix: dict[str, float],
) -> Packed:
    """Write the rows of each split and language in parts and, last, packed.json.

    Raises CorpusError when the disk does not take them.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        parts = [
            _write_part(folder, split, language, number, tokens)
            for (split, language), pieces in rows.items()
            for number, tokens in enumerate(_in_parts(pieces))
        ]
        packed = Packed(vocabulary, parts, mix)
        _write_facts(folder, packed)
    except OSError as error:
        raise CorpusError(
            f"the packed tokens could not be written to {folder} ({error}): free some space and"
            " run it again"
        ) from error
    return packed


def _write_part(
    folder: Path, split: Split, language: str, number: int, tokens: NDArray[np.uint16]
) -> Part:
    name = f"{split}-{language}-{number:03}.u16"
    (folder / name).write_bytes(tokens.data)
    return Part(name, split, language, len(tokens), hashlib.sha256(tokens.data).hexdigest())


def _in_parts(rows: Iterable[NDArray[np.uint16]]) -> Iterator[NDArray[np.uint16]]:
    """The rows joined and cut anew, every `PART_TOKENS`."""
    held: list[NDArray[np.uint16]] = []
    room = PART_TOKENS
    for row in rows:
        left = row
        while len(left) >= room:
            yield np.concatenate([*held, left[:room]])
            left, held, room = left[room:], [], PART_TOKENS
        held.append(left)
        room -= len(left)
    if room < PART_TOKENS:
        yield np.concatenate(held)


def _write_facts(folder: Path, packed: Packed) -> None:
    fresh = folder / "packed.json.new"
    fresh.write_text(json.dumps(asdict(packed), indent=1) + "\n")
    fresh.replace(folder / "packed.json")


def refer(corpus: Path, folder: Path) -> None:
    """Make `folder` stand for the packed tokens of `corpus`, which stay where they are."""
    packed = read_packed(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    _write_facts(folder, replace(packed, folder=str(corpus.resolve())))


def read_packed(folder: Path) -> Packed:
    """What a folder of packed tokens holds. Raises CorpusError for any other folder."""
    try:
        return cattrs.structure(json.loads((folder / "packed.json").read_bytes()), Packed)
    except OSError as error:
        raise CorpusError(f"{folder} holds no packed tokens ({error}): pack again") from error
    except Exception as error:  # JSON and cattrs each have many ways to say it
        raise CorpusError(f"{folder / 'packed.json'} is not readable: pack again") from error


def load_packed(folder: Path) -> dict[Split, dict[str, Tokens]]:
    """Memory-mapped tokens by split and language, every part compared with its checksum.

    Raises CorpusError for a folder without packed tokens and for a part missing or altered.
    """
    packed = read_packed(folder)
    mapped: dict[Split, dict[str, list[NDArray[np.uint16]]]] = {split: {} for split in SPLITS}
    for part in packed.parts:
        path = Path(packed.folder or folder) / part.name
        mapped[part.split].setdefault(part.language, []).append(_map(path, part))
    return {
        split: {language: Tokens(parts) for language, parts in rows.items()}
        for split, rows in mapped.items()
    }


def _map(path: Path, part: Part) -> NDArray[np.uint16]:
    try:
        tokens = np.memmap(path, np.uint16, "r")
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path} cannot be read ({error}): pack again") from error
    if len(tokens) != part.tokens:
        raise CorpusError(f"{path} has {len(tokens)} of {part.tokens} tokens: pack again")
    if hashlib.sha256(tokens.data).hexdigest() != part.sha256:
        raise CorpusError(f"{path} was altered, its checksum differs: fetch it or pack again")
    return tokens
