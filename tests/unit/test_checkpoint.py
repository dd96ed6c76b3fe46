"""A checkpoint is whole and ours, or it is refused in one sentence."""

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine import checkpoint
from engine.errors import CheckpointError
from engine.model import Denoiser, DenoiserConfig
from engine.tokenizer import Tokenizer
from tests.support.tiny_model import (
    CONTEXT_TOKENS,
    source_code,
    tiny_denoiser,
    tiny_tokenizer,
    write_tiny_checkpoint,
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A checkpoint to spoil."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


@torch.no_grad()
def scores(model: Denoiser) -> torch.Tensor:
    """What a model thinks of a few tokens."""
    hidden, _ = model.encode(torch.arange(40, 60)[None], torch.tensor([0]))
    return model.logits(hidden)


def seal(folder: Path) -> None:
    """Make the sums right again after a change."""
    names = sorted(path.name for path in folder.iterdir() if path.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (folder / "SHA256SUMS").write_text("".join(sums))


def change_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    seal(folder)


def change_shape(folder: Path, **changes: object) -> None:
    shape = asdict(tiny_denoiser().config)
    change_config(folder, denoiser=shape | changes)


def refusal(folder: Path) -> str:
    """The sentence with which a folder is refused."""
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(folder)
    sentence = str(caught.value)
    assert str(folder) in sentence
    assert "\n" not in sentence
    assert not sentence.endswith(":")
    return sentence


def test_what_was_saved_is_loaded(saved: Path) -> None:
    found = checkpoint.load(saved)
    original = tiny_denoiser().to(torch.bfloat16).float()
    assert scores(found.model).equal(scores(original))
    text = source_code(3, seed=4).encode()
    assert found.tokenizer.encode(text) == tiny_tokenizer().encode(text)
    assert (found.name, found.context_tokens) == ("tiny", CONTEXT_TOKENS)
    assert found.model.embedding.weight.dtype == torch.float32
    assert not found.model.training


def test_the_checksum_is_that_of_the_sums(saved: Path) -> None:
    listing = (saved / "SHA256SUMS").read_bytes()
    assert checkpoint.load(saved).checksum == hashlib.sha256(listing).hexdigest()


def test_other_weights_have_another_checksum(saved: Path, tmp_path: Path) -> None:
    other = write_tiny_checkpoint(tmp_path / "other", seed=1)
    assert checkpoint.verify(other) != checkpoint.verify(saved)


def test_weights_may_be_in_several_files(folder: Path) -> None:
    before = scores(checkpoint.load(folder).model)
    weights = {k: v.to(torch.bfloat16) for k, v in tiny_denoiser().state_dict().items()}
    names = sorted(weights)
    (folder / "model.safetensors").unlink()
    for index, part in enumerate((names[:5], names[5:])):
        shard = {name: weights[name].contiguous() for name in part}
        save_file(shard, folder / f"model-{index}.safetensors")
    seal(folder)
    assert scores(checkpoint.load(folder).model).equal(before)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert "no checkpoint at" in refusal(tmp_path / "nowhere")


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("hello")
    refusal(tmp_path / "model")


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "SHA256SUMS"]
)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert name in refusal(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize(
    "spoil",
    [lambda content: content[: len(content) // 2], lambda content: content[:-1] + b"\xff"],
    ids=["truncated", "tampered"],
)
def test_an_altered_file_is_named(folder: Path, name: str, spoil: Callable[[bytes], bytes]) -> None:
    (folder / name).write_bytes(spoil((folder / name).read_bytes()))
    assert name in refusal(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\x80\x04\x95pickle", b"\xff" * 100])
def test_a_file_that_is_none_is_refused_though_its_sum_is_right(
    folder: Path, name: str, content: bytes
) -> None:
    (folder / name).write_bytes(content)
    seal(folder)
    refusal(folder)


@pytest.mark.parametrize(
    "listing", [b"", b"hello\n", b"\xff\x00\n", b"0  ../model\n", b"0  " + b"a" * 300]
)
def test_sums_that_are_none_are_refused(folder: Path, listing: bytes) -> None:
    (folder / "SHA256SUMS").write_bytes(listing)
    (folder / "config.json").unlink()
    refusal(folder)


def test_weights_that_no_sum_vouches_for_are_not_used(folder: Path) -> None:
    before = scores(checkpoint.load(folder).model)
    strange = {k: v.to(torch.bfloat16) for k, v in tiny_denoiser(seed=7).state_dict().items()}
    save_file(strange, folder / "more.safetensors")
    with suppress(CheckpointError):
        assert scores(checkpoint.load(folder).model).equal(before)


def test_another_family_is_named(folder: Path) -> None:
    change_config(folder, family="llada")
    assert "llada" in refusal(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 64},
        {"layers": 3},
        {"vocabulary": 600},
        {"heads": 3},
        {"heads": 0},
        {"width": "wide"},
        {"depth": 4},
    ],
    ids=str,
)
def test_weights_of_another_shape_are_refused(folder: Path, change: dict[str, object]) -> None:
    change_shape(folder, **change)
    refusal(folder)


@pytest.mark.parametrize("name", ["name", "context_tokens", "denoiser"])
def test_a_config_that_lacks_something_is_refused(folder: Path, name: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    del config[name]
    (folder / "config.json").write_text(json.dumps(config))
    seal(folder)
    assert name in refusal(folder)


def test_a_tokenizer_larger_than_the_vocabulary_is_refused(folder: Path) -> None:
    Tokenizer.train([source_code(300, seed=1)], 490).save(folder / "tokenizer.json")
    seal(folder)
    sentence = refusal(folder)
    assert "490" in sentence
    assert "480" in sentence


def test_the_rows_that_pad_a_vocabulary_are_no_obstacle(tmp_path: Path) -> None:
    padded = Denoiser(DenoiserConfig(512, width=32, layers=1, heads=2, kv_heads=1, hidden=48))
    checkpoint.save(tmp_path, "padded", padded, tiny_tokenizer(), 64)
    assert checkpoint.load(tmp_path).model.config.vocabulary == 512


def test_saving_again_replaces_the_older_one(folder: Path) -> None:
    newer = tiny_denoiser(seed=3)
    checkpoint.save(folder, "newer", newer, tiny_tokenizer(), CONTEXT_TOKENS)
    found = checkpoint.load(folder)
    assert found.name == "newer"
    assert scores(found.model).equal(scores(newer.to(torch.bfloat16).float()))


def test_where_the_disk_is_full_the_older_one_stays_whole(folder: Path) -> None:
    resource = pytest.importorskip("resource")
    before = scores(checkpoint.load(folder).model)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(Exception):  # noqa: B017, PT011 - which one is the caller's affair
            checkpoint.save(folder, "newer", tiny_denoiser(3), tiny_tokenizer(), CONTEXT_TOKENS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert scores(checkpoint.load(folder).model).equal(before)
