"""What cannot be loaded of other people's folders is said in one sentence."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType]

from engine import families
from engine.errors import CheckpointError
from engine.families import codec
from engine.families.folder import Folder
from tests.support.hub_folders import special, write_config
from tests.support.qwen_folders import (
    A2D_QWEN2,
    DREAM,
    END,
    OPEN_DCODER,
    Family,
    weights_in,
)
from tests.support.tiny_model import CPU


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        families.load(folder, CPU)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    DREAM.write(tmp_path)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    assert "lacks model-00002-of-00003.safetensors" in refusal(tmp_path)


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    A2D_QWEN2.write(tmp_path)
    whole = {name: tensor.to(torch.int8) for name, tensor in weights_in(tmp_path).items()}
    save_file(whole, tmp_path / "model.safetensors")
    assert "int8" in refusal(tmp_path)


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    A2D_QWEN2.write(tmp_path, vocab_size=300)
    assert "different checkpoints" in refusal(tmp_path)
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    A2D_QWEN2.write(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    write_config(tmp_path, config | {"vocab_size": config["vocab_size"] + 8})
    assert "has the shape" in refusal(tmp_path)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    A2D_QWEN2.write(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    assert "may run code" in refusal(tmp_path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    A2D_QWEN2.write(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    assert "truncated" in refusal(tmp_path)


def test_an_unknown_family_is_named(tmp_path: Path) -> None:
    A2D_QWEN2.write(tmp_path, architectures=["MambaForCausalLM"])
    assert '"MambaForCausalLM"' in refusal(tmp_path)


def test_a_mask_that_nobody_names_is_asked_for(tmp_path: Path) -> None:
    replace(A2D_QWEN2, specials=(END, "<|other|>"), mask="<|other|>").write(tmp_path)
    assert "mask_token_id" in refusal(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    write_config(tmp_path, config | {"mask_token_id": special(1)})
    assert families.load(tmp_path, CPU).traits.parameters


@pytest.mark.parametrize("family", [A2D_QWEN2, OPEN_DCODER])
def test_a_vocabulary_is_read_once(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, read = family.write(tmp_path), list[Path]()
    whole = codec.FolderCodec.__init__

    def counted(self: codec.FolderCodec, folder: Folder) -> None:
        read.append(folder.path)
        whole(self, folder)

    monkeypatch.setattr(codec.FolderCodec, "__init__", counted)
    families.load(folder, CPU)
    assert read == [folder]
