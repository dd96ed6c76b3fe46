"""Folders in the format of the hub, made in milliseconds: random weights, a small vocabulary."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType]
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from tests.support.tiny_model import source_code

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
}
_TEXT_TOKENS = 400
BLANK = "\u2581"
SPARE = 3
"""Rows of the embedding that no token has."""
_PIECE = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@cache
def _bpe() -> Tokenizer:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECE), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=_TEXT_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([source_code(200, seed=0)], trainer)
    return bpe


def special(place: int) -> int:
    """The id of the special token in that place."""
    return _TEXT_TOKENS + place


def write_tokenizer(folder: Path, specials: Sequence[str], *, whole: bool, **roles: str) -> int:
    """tokenizer.json, or vocab.json, merges.txt and added_tokens.json; returns how many tokens."""
    bpe = Tokenizer.from_str(_bpe().to_str())
    assert bpe.get_vocab_size() == _TEXT_TOKENS
    if whole:
        bpe.add_special_tokens(list(specials))
        bpe.save(str(folder / "tokenizer.json"))
    else:
        bpe.model.save(str(folder))
        added = {name: special(place) for place, name in enumerate(specials)}
        (folder / "added_tokens.json").write_text(json.dumps(added))
    (folder / "tokenizer_config.json").write_text(json.dumps(roles))
    return _TEXT_TOKENS + len(specials)


def write_weights(folder: Path, weights: Mapping[str, Tensor], shards: int = 1) -> None:
    """model.safetensors, or shards of it with an index."""
    if shards == 1:
        save_file(dict(weights), folder / "model.safetensors")
        return
    names, placed = list(weights), dict[str, str]()
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        save_file({name: weights[name] for name in names[shard::shards]}, folder / file)
        placed |= dict.fromkeys(names[shard::shards], file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": placed}))


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """config.json."""
    (folder / "config.json").write_text(json.dumps(config))


def write_pieces(folder: Path, specials: Sequence[str]) -> int:
    """A tokenizer.json as Gemma's: pieces of characters, bytes to fall back on; how many tokens.

    Its specials come first. A run of line breaks is an added token, although it stands for text.
    """
    bpe = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))  # noqa: S106
    bpe.normalizer = normalizers.Replace(" ", BLANK)
    bpe.pre_tokenizer = pre_tokenizers.Split(BLANK, "merged_with_next")
    single = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=_TEXT_TOKENS,
        special_tokens=[*specials, "<unk>", *single],
        show_progress=False,
    )
    bpe.train_from_iterator([source_code(200, seed=0)], trainer)
    whole = json.loads(bpe.to_str())
    whole["pre_tokenizer"] = {"type": "Split", "pattern": {"String": " "}, "invert": False}
    whole["pre_tokenizer"]["behavior"] = "MergedWithPrevious"
    whole["added_tokens"] = whole["added_tokens"][: len(specials) + 1]
    lines = {"id": whole["model"]["vocab"]["\n"], "content": "\n", "special": False}
    whole["added_tokens"].append({**whole["added_tokens"][0], **lines})
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    (folder / "tokenizer_config.json").write_text("{}")
    return _TEXT_TOKENS
