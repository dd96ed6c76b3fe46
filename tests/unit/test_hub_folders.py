"""What cannot be loaded of other people's folders is said in one sentence."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import (
    load_file,
    save_file,  # pyright: ignore[reportUnknownVariableType]
)

from engine import families
from engine.errors import CheckpointError
from engine.families import codec, folder
from engine.families.folder import Folder
from tests.support.hub_folders import special, write_config
from tests.support.qwen_folders import (
    A2D_QWEN2,
    A2D_QWEN3,
    DREAM,
    END,
    OPEN_DCODER,
    Family,
    weights_in,
)
from tests.support.tiny_model import CPU


def refusal(path: Path) -> str:
    """One sentence, the same whether the model is to be described, as `add` does, or loaded."""
    said: list[str] = []
    for ask in (families.describe, lambda path: families.load(path, CPU)):
        with pytest.raises(CheckpointError) as caught:
            ask(path)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "\n" not in said[0]
    return said[0]


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    DREAM.write(tmp_path)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    assert "lacks model-00002-of-00003.safetensors" in refusal(tmp_path)


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    A2D_QWEN2.write(tmp_path)
    whole = {name: tensor.to(torch.int8) for name, tensor in weights_in(tmp_path).items()}
    save_file(whole, tmp_path / "model.safetensors")
    assert "is I8" in refusal(tmp_path)


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    A2D_QWEN2.write(tmp_path, vocab_size=300)
    assert "different checkpoints" in refusal(tmp_path)
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    A2D_QWEN2.write(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    write_config(tmp_path, config | {"vocab_size": config["vocab_size"] + 8})
    assert "has the shape" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"quantization_config": {"quant_method": "awq"}}, r"quantised weights \(awq\)"),
        ({"rope_scaling": [1]}, "not as this family has them"),
        ({"rope_scaling": {"type": "linear"}}, "'factor'"),
        ({"rope_scaling": {"type": "yarn"}}, '"yarn"'),
        ({"rope_theta": "large"}, "not as this family has them"),
        ({"head_dim": "16"}, 'a number "head_dim"'),
        ({"num_hidden_layers": True}, 'a number "num_hidden_layers"'),
        ({"num_attention_heads": 0}, 'a number "num_attention_heads"'),
        ({"block_size": -4}, 'a number "block_size"'),
        ({"mask_token_id": -1}, "different checkpoints"),
        ({"hidden_act": "gelu"}, "no gelu"),
        ({"use_sliding_window": True, "sliding_window": 64}, "see 64 others"),
        ({"num_hidden_layers": 1}, r"layers\.1\..*not in the model"),
        ({"architectures": []}, 'a ""'),
    ],
    ids=lambda part: next(iter(part)) if isinstance(part, dict) else "",
)
def test_a_config_that_is_not_as_the_family_has_it_is_refused(
    changed: dict[str, Any], says: str, tmp_path: Path
) -> None:
    A2D_QWEN3.write(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    write_config(tmp_path, config | changed)
    assert re.search(says, refusal(tmp_path))


def test_what_the_family_knows_nothing_of_is_harmless(tmp_path: Path) -> None:
    A2D_QWEN3.write(tmp_path, dtype="float32", torch_dtype="float32", some_key={"of": 2030})
    config = json.loads((tmp_path / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": config.pop("rope_theta")}
    config.pop("tie_word_embeddings")  # there is no head, so it is tied
    write_config(tmp_path, config | {"use_sliding_window": False, "sliding_window": 64})
    assert families.describe(tmp_path).parameters == families.load(tmp_path, CPU).traits.parameters


def test_a_bias_that_the_family_has_not_is_not_left_aside(tmp_path: Path) -> None:
    A2D_QWEN3.write(tmp_path)
    name = "model.layers.0.self_attn.o_proj.bias"
    save_file(weights_in(tmp_path) | {name: torch.ones(32)}, tmp_path / "model.safetensors")
    assert name in refusal(tmp_path)


def test_what_follows_from_the_config_may_be_kept(tmp_path: Path) -> None:
    A2D_QWEN3.write(tmp_path)
    computed = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)}
    save_file(weights_in(tmp_path) | computed, tmp_path / "model.safetensors")
    assert families.load(tmp_path, CPU)


def test_a_tensor_that_is_in_no_shard_is_named(tmp_path: Path) -> None:
    DREAM.write(tmp_path)
    name = "model.layers.1.mlp.up_proj.weight"
    for shard in tmp_path.glob("*.safetensors"):
        left = {key: value for key, value in load_file(shard).items() if key != name}
        save_file(left, shard)
    assert f"no tensor {name}" in refusal(tmp_path)


@pytest.mark.parametrize("index", ["[]", "{}", '{"weight_map": ["a"]}', '{"weight_map": {"a": 1}}'])
def test_an_index_that_is_none_is_refused(index: str, tmp_path: Path) -> None:
    DREAM.write(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(index)
    assert "model.safetensors.index.json" in refusal(tmp_path)


def test_beside_the_whole_model_other_files_are_not_read(tmp_path: Path) -> None:
    A2D_QWEN3.write(tmp_path)
    (tmp_path / "consolidated.safetensors").write_bytes(b"the same once more")
    assert families.load(tmp_path, CPU)


def test_a_folder_of_links_as_in_the_cache_of_the_hub(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots/0"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for number, file in enumerate(A2D_QWEN3.write(blobs).iterdir()):
        (snapshot / file.name).symlink_to(file.rename(blobs / str(number)))
    assert families.load(snapshot, CPU)


def test_a_folder_of_no_model_is_refused(tmp_path: Path) -> None:
    assert "has no config.json" in refusal(tmp_path)
    A2D_QWEN3.write(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    assert "no readable tokenizer.json" in refusal(tmp_path)


def test_a_tokenizer_of_another_kind_is_refused(tmp_path: Path) -> None:
    A2D_QWEN3.write(tmp_path)
    whole = json.loads((tmp_path / "tokenizer.json").read_text())
    words = {"type": "WordLevel", "vocab": {"x": 0, "?": 1}, "unk_token": "?"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole | {"model": words}))
    assert "does not give back the text" in refusal(tmp_path)


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


def test_a_file_is_opened_once_a_layer_and_not_for_each_tensor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DREAM.write(tmp_path)
    opened, whole = list[Path](), folder.safe_open

    def counted(file: Path, framework: str) -> Any:
        opened.append(file)
        return whole(file, framework=framework)

    monkeypatch.setattr(folder, "safe_open", counted)
    families.load(tmp_path, CPU)
    headers, layers, outer = 3, 2, 1
    assert len(opened) <= headers + 3 * (layers + outer)


@pytest.mark.parametrize("family", [A2D_QWEN2, OPEN_DCODER])
def test_a_vocabulary_is_read_once(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, read = family.write(tmp_path), list[Path]()
    whole = codec.FolderCodec.__init__

    def counted(self: codec.FolderCodec, folder: Folder) -> None:
        read.append(folder.path)
        whole(self, folder)

    monkeypatch.setattr(codec.FolderCodec, "__init__", counted)
    families.load(written, CPU)
    assert read == [written]
