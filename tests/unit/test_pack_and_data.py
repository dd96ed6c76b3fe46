"""From files to batches: the holes hold what the text says."""

import json
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.errors import CorpusError
from engine.tokenizer import EOM, FILE, LANGUAGES, Tokenizer
from engine.train.corpus import SourceFile
from engine.train.data import Batch, Batches, BatchShape
from engine.train.pack import (
    TILE_BIT,
    TOKEN_BITS,
    load_packed,
    pack,
    pack_files,
    refer,
    write_packed,
)
from engine.train.tiles import tile
from tests.support.tiny_model import source_code, tiny_tokenizer

FILES = [
    SourceFile(f"{name}{seed}", language, source_code(3, seed))
    for seed, (name, language) in enumerate([("a.py", "python"), ("b.go", "go")] * 5)
]
SHAPE = BatchShape(chunks=3, tokens=48, slots=64, sizes=(8,))


def packed_tokens(files: list[SourceFile]) -> NDArray[np.uint16]:
    return pack_files(files, tiny_tokenizer(), random.Random(1))


def some_batches(count: int, shape: BatchShape = SHAPE, seed: int = 0) -> list[Batch]:
    packed = {"python": packed_tokens(FILES[::2]), "go": packed_tokens(FILES[1::2])}
    source = Batches(packed, {"python": 0.5, "go": 0.5}, shape, seed)
    return [source[step] for step in range(count)]


def test_packed_files_say_what_the_files_say() -> None:
    packed = packed_tokens(FILES) & TOKEN_BITS
    starts = [*np.flatnonzero(packed == FILE).tolist(), len(packed)]
    texts = [
        tiny_tokenizer().decode(packed[a + 1 : b].tolist()).decode() for a, b in pairwise(starts)
    ]
    assert texts == [file.text for file in FILES]


def test_a_bit_says_where_each_tile_begins() -> None:
    packed = packed_tokens(FILES[:1])
    edges = [*np.flatnonzero(packed & TILE_BIT).tolist(), len(packed)]
    assert edges[:2] == [0, 1]
    pieces = [
        tiny_tokenizer().decode((packed[a:b] & TOKEN_BITS).tolist()).decode()
        for a, b in pairwise(edges[1:])
    ]
    assert pieces == tile(FILES[0].text, random.Random(1))


def test_what_is_packed_is_mapped_again_by_split_and_language(tmp_path: Path) -> None:
    pack(FILES, tiny_tokenizer(), tmp_path, held_out=0.4, seed=3)
    splits = load_packed(tmp_path)
    assert {split: set(rows) for split, rows in splits.items()} == {
        "train": {"python", "go"},
        "valid": {"python", "go"},
    }
    texts = {
        split: b"".join(
            tiny_tokenizer().decode((r[:] & TOKEN_BITS).tolist()) for r in rows.values()
        )
        for split, rows in splits.items()
    }
    held_out = [file for file in FILES if file.text.encode() in texts["valid"]]
    assert len(held_out) == 4
    assert all((file.text.encode() in texts["train"]) != (file in held_out) for file in FILES)


def test_a_language_with_one_file_keeps_it_for_training(tmp_path: Path) -> None:
    pack(FILES[:1], tiny_tokenizer(), tmp_path, held_out=0.5, seed=3)
    assert {split: list(rows) for split, rows in load_packed(tmp_path).items()} == {
        "train": ["python"],
        "valid": [],
    }


def test_nothing_to_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no usable source file"):
        pack([], tiny_tokenizer(), tmp_path, held_out=0.1, seed=0)


@pytest.mark.parametrize(
    "spoiled",
    ["missing", "one byte short", "two bytes short", "empty", "altered", "list", "cut", "gone"],
)
def test_a_truncated_pack_is_refused(tmp_path: Path, spoiled: str) -> None:
    pack(FILES, tiny_tokenizer(), tmp_path, held_out=0.0, seed=0)
    row, facts = tmp_path / "train-go-000.u16", tmp_path / "packed.json"
    match spoiled:
        case "missing":
            row.unlink()
        case "one byte short":
            row.write_bytes(row.read_bytes()[:-1])
        case "two bytes short":
            row.write_bytes(row.read_bytes()[:-2])
        case "empty":
            row.write_bytes(b"")
        case "list":
            facts.write_text(json.dumps([]))
        case "altered":
            row.write_bytes(bytes([row.read_bytes()[0] ^ 1]) + row.read_bytes()[1:])
        case "cut":
            facts.write_text(facts.read_text()[:20])
        case _:
            facts.unlink()
    with pytest.raises(CorpusError, match=str(tmp_path)) as caught:
        load_packed(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_row_in_several_parts_reads_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.train.pack.PART_TOKENS", 100)
    pieces = [np.arange(n, dtype=np.uint16) + 20 for n in (1, 250, 0, 99, 350)]
    packed = write_packed(tmp_path, {("train", "go"): pieces}, 480, {})
    row, whole = load_packed(tmp_path)["train"]["go"], np.concatenate(pieces)
    assert [part.tokens for part in packed.parts] == [100] * 7
    assert len(row) == len(whole) == packed.tokens("train")
    for start, stop in [(0, 700), (0, 1), (99, 101), (100, 200), (250, 615), (699, 700)]:
        assert np.array_equal(row[start:stop], whole[start:stop])


def test_a_pack_may_lie_elsewhere(tmp_path: Path) -> None:
    pack(FILES, tiny_tokenizer(), tmp_path / "corpus", held_out=0.0, seed=0)
    refer(tmp_path / "corpus", tmp_path / "run")
    there, here = load_packed(tmp_path / "corpus"), load_packed(tmp_path / "run")
    assert np.array_equal(here["train"]["go"][:], there["train"]["go"][:])
    (tmp_path / "corpus" / "train-go-000.u16").unlink()
    with pytest.raises(CorpusError, match=r"corpus/train-go-000\.u16 cannot be read"):
        load_packed(tmp_path / "run")


def test_where_the_disk_is_full_it_is_said(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(CorpusError, match="free some space") as caught:
            pack(FILES, tiny_tokenizer(), tmp_path, held_out=0.0, seed=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    with pytest.raises(CorpusError, match="no packed tokens"):
        load_packed(tmp_path)


def test_each_hole_holds_the_text_of_its_tile_and_the_end_behind_it() -> None:
    canvases = 0
    for batch in some_batches(20):
        for chunk, tokens in enumerate(batch.tokens_BT.tolist()):
            for hole in torch.nonzero(batch.used_BN[chunk])[:, 0].tolist():
                start = int(batch.start_BN[chunk, hole])
                end = int(batch.end_BN[chunk, hole])
                content = batch.content_BNC[chunk, hole].tolist()
                assert content == (tokens[start:end] + [EOM] * 8)[:8]
                canvases += 1
    assert canvases > 200


def test_long_tiles_are_filled_block_after_block_to_one_end() -> None:
    found = False
    for batch in some_batches(30):
        for chunk in range(SHAPE.chunks):
            used = batch.used_BN[chunk]
            starts, ends = batch.start_BN[chunk][used], batch.end_BN[chunk][used]
            for end in ends.unique().tolist():
                same = sorted(set(starts[ends == end].tolist()))
                tile_starts = [start for start in same if start < end]
                found |= any(b - a == 8 for a in tile_starts for b in tile_starts)
    assert found


def test_some_holes_are_empty() -> None:
    empty = sum(
        int(((batch.start_BN == batch.end_BN) & batch.used_BN).sum()) for batch in some_batches(20)
    )
    assert empty > 0


def test_the_size_of_a_canvas_tells_nothing_of_the_hole() -> None:
    shape = BatchShape(chunks=2, tokens=48, slots=64, sizes=(8, 16))
    sizes = {8: list[int](), 16: list[int]()}
    for batch in some_batches(40, shape):
        size = batch.content_BNC.shape[2]
        lengths = (batch.end_BN - batch.start_BN)[batch.used_BN]
        sizes[size] += lengths.tolist()
        assert batch.content_BNC.shape[1] * size == shape.slots
    short = [sum(length < 8 for length in lengths) / len(lengths) for lengths in sizes.values()]
    assert abs(short[0] - short[1]) < 0.1


def test_canvases_that_only_pad_are_marked() -> None:
    shape = BatchShape(chunks=2, tokens=16, slots=400, sizes=(8,))
    assert not any(bool(batch.used_BN.all()) for batch in some_batches(3, shape))


def test_the_tag_is_that_of_the_chunks_language() -> None:
    tags = {tag for batch in some_batches(10) for tag in batch.tags_B.tolist()}
    assert tags == {3 + LANGUAGES.index("python"), 3 + LANGUAGES.index("go")}


def test_what_a_step_learns_from_does_not_depend_on_where_the_run_began() -> None:
    packed = {"python": packed_tokens(FILES)}
    source = Batches(packed, {}, SHAPE, seed=0)
    late = next(source.after(6, torch.device("cpu")))
    assert late.content_BNC.equal(source[7].content_BNC)
    assert not late.content_BNC.equal(source[6].content_BNC)


def test_the_same_seed_draws_the_same_batches() -> None:
    one, two, other = some_batches(3, seed=4), some_batches(3, seed=4), some_batches(3, seed=5)
    assert all(a.content_BNC.equal(b.content_BNC) for a, b in zip(one, two, strict=True))
    assert not all(a.tokens_BT.equal(b.tokens_BT) for a, b in zip(one, other, strict=True))


def test_a_chunk_that_is_one_tile_is_one_hole() -> None:
    row = np.arange(100, 200, dtype=np.uint16)
    shape = BatchShape(chunks=1, tokens=12, slots=64, sizes=(16,))
    batch = Batches({"c": row}, {}, shape, 0)[0]
    shift = int(batch.shift_B[0])
    first, last = max(0, shift), min(12, 12 + shift)
    holes = torch.stack([batch.start_BN[0], batch.end_BN[0]], 1).tolist()
    content = batch.content_BNC[0, holes.index([first, last])].tolist()
    assert content == (batch.tokens_BT[0, first:last].tolist() + [EOM] * 16)[:16]


def test_the_suffix_goes_on_where_the_hole_ends() -> None:
    row = np.arange(100, 9100, dtype=np.uint16)
    row[::5] |= TILE_BIT
    shape = BatchShape(chunks=2, tokens=48, slots=64, sizes=(8,))
    source = Batches({"c": row}, {}, shape, 0)
    for batch in (source[step] for step in range(20)):
        for chunk, shift in enumerate(batch.shift_B.tolist()):
            text, behind = batch.tokens_BT[chunk].tolist(), batch.behind_BT[chunk].tolist()
            assert behind[0] - text[0] == shift
            for end in batch.end_BN[chunk][batch.used_BN[chunk]].tolist():
                assert 0 <= end - shift <= 48
                suffix = behind[end - shift :]
                assert not suffix or suffix[0] == text[0] + end


def test_the_amount_of_context_does_not_tell_the_length_of_the_hole() -> None:
    row = np.arange(100, 30100, dtype=np.uint16)
    row[np.random.default_rng(1).random(len(row)) < 0.1] |= TILE_BIT
    shape = BatchShape(chunks=4, tokens=64, slots=128, sizes=(8,))
    source = Batches({"c": row}, {}, shape, 0)
    seen, lengths = list[int](), list[int]()
    for batch in (source[step] for step in range(60)):
        used = batch.used_BN
        suffix_BN = batch.shift_B[:, None] + 64 - batch.end_BN
        seen += (batch.start_BN + suffix_BN)[used].tolist()
        lengths += (batch.end_BN - batch.start_BN)[used].tolist()
    assert abs(np.corrcoef(seen, lengths)[0, 1]) < 0.5
    assert min(seen) < 8
    assert max(seen) > 64


def test_text_shorter_than_a_chunk_is_refused() -> None:
    row = packed_tokens(FILES[:1])
    shape = BatchShape(chunks=1, tokens=len(row) + 1, slots=64, sizes=(8,))
    with pytest.raises(CorpusError):
        Batches({"python": row}, {}, shape, 0)


def test_tiles_are_packed_whole_whatever_bytes_their_characters_have() -> None:
    odd = SourceFile("a.py", "python", "x = '\u8a9e\U0001f600'\n\u2028" * 40)
    of_single_bytes = Tokenizer.train(["x = 1\n"], 269)
    row = pack_files([odd], of_single_bytes, random.Random(0)) & TOKEN_BITS
    assert of_single_bytes.decode(row.tolist()).decode() == odd.text
