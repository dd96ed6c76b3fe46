"""Turns source files into packed tokens that memory-map: one file of uint16 per language.

The low 15 bits are the token; the top bit says that a tile (a future hole) begins here. Files are
shuffled, joined and parted by `<file>`. Packing costs minutes for a hundred megabytes, is done once
per set of sources, and the result moves between machines.
"""

import json
import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import CorpusError
from engine.tokenizer import FILE, LANGUAGES, Tokenizer
from engine.train.corpus import SourceFile
from engine.train.tiles import tile

TILE_BIT = 0x8000
TOKEN_BITS = 0x7FFF


def pack(
    files: Iterable[SourceFile], tokenizer: Tokenizer, folder: Path, held_out: float, seed: int
) -> None:
    """Write `train-<language>.u16` and `valid-<language>.u16` and, last, `packed.json`.

    held_out  share of the files, 0 to 1, that goes to the validation set
    Raises CorpusError when there is no usable file.
    """
    rng = random.Random(seed)
    shuffled = sorted(files, key=lambda file: file.path)
    if not shuffled:
        raise CorpusError(
            "no usable source file was found: see engine/train/corpus.py for the rules"
        )
    rng.shuffle(shuffled)
    folder.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    for language in LANGUAGES:
        own = [file for file in shuffled if file.language == language]
        valid = round(len(own) * held_out) if len(own) > 1 else 0
        for split, part in (("valid", own[:valid]), ("train", own[valid:])):
            tokens = pack_files(part, tokenizer, rng)
            if len(tokens):
                name = f"{split}-{language}.u16"
                tokens.tofile(folder / name)
                counts[name] = len(tokens)
    facts = {"tokens": counts, "vocabulary": tokenizer.size, "seed": seed}
    (folder / "packed.json").write_text(json.dumps(facts, indent=1) + "\n")


def pack_files(
    files: list[SourceFile], tokenizer: Tokenizer, rng: random.Random
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


def load_packed(folder: Path) -> dict[str, dict[str, NDArray[np.uint16]]]:
    """Memory-mapped tokens by split and language. Raises CorpusError for any other folder."""
    try:
        facts = json.loads((folder / "packed.json").read_text())
        splits: dict[str, dict[str, NDArray[np.uint16]]] = {"train": {}, "valid": {}}
        for name, count in facts["tokens"].items():
            split, _, language = name.removesuffix(".u16").partition("-")
            tokens = np.memmap(folder / name, np.uint16, "r")
            if len(tokens) != count:
                raise CorpusError(
                    f"{folder / name} has {len(tokens)} of {count} tokens: pack again"
                )
            splits[split][language] = tokens
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{folder} holds no packed tokens ({error}): pack again") from error
    return splits
