"""The tokenizer of another family's folder, in the engine's ids.

A tokenizer.json, or vocab.json with merges.txt and the splitting of Qwen2. Its pieces are of bytes,
as GPT-2 has them, or of characters, as SentencePiece has them, with single bytes to fall back on;
Gemma's are the latter. Text never becomes a special, even if it spells one; every UTF-8 string
round-trips, so nothing is normalised.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache, cached_property, lru_cache
from typing import Any

from tokenizers import Regex, models, pre_tokenizers
from tokenizers import Tokenizer as BpeTokenizer

from engine.errors import CheckpointError
from engine.families.folder import Folder
from engine.families.ids import OFFSET
from engine.segments import nearest, window_end, window_start
from engine.tokenizer import byte_characters, utf8_runs

MASK_NAMES = ("<|mask|>", "<|mdm_mask|>", "<M>", "[MASK]")

_QWEN_PIECE = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SUFFIX_PART = 4
"""One part in so many of what is read goes to the suffix."""
_NORMAL_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
_BLANK = "\u2581"
"""What SentencePiece writes for a blank."""
_ONE_BYTE = re.compile("<0x([0-9A-F]{2})>")
_PROBE = "def f(x):\n\treturn  x  # \u00e9\u2581\U0001f600\r\n".encode()


class FolderCodec:
    """Bytes to the engine's ids and back, by the vocabulary in a folder.

    specials  id, the family's own, of each added token
    """

    def __init__(self, folder: Folder) -> None:
        self._path = folder.path
        self._named = folder.json_if_any("tokenizer_config.json")
        self.specials = _added(folder, self._named)
        self._bpe = _bpe(folder)
        self._of_characters = bool(getattr(self._bpe.model, "byte_fallback", False))
        vocabulary = self._bpe.get_vocab()
        self.size = 1 + max(*vocabulary.values(), *self.specials.values(), 0)
        self.token_bytes = [b""] * (OFFSET + self.size)
        spelled = _characters if self._of_characters else _bytes
        apart = self.specials.keys() - (_texts(folder) if self._of_characters else ())
        for token, index in vocabulary.items():
            if token not in apart:
                self.token_bytes[OFFSET + index] = spelled(token)
        self._refuse_unless_exact()

    def encode(self, text: bytes) -> list[int]:
        """Ids whose bytes, joined, are exactly `text`."""
        ids: list[int] = []
        for valid, stray in utf8_runs(text):
            first, *others = valid.split(_BLANK) if self._of_characters else [valid]
            ids += self._pieces(first)
            for part in others:  # what would become a blank is spelled in bytes
                ids += [*self._singly(_BLANK.encode()), *self._pieces(part)]
            ids += self._singly(stray)
        return ids

    def _refuse_unless_exact(self) -> None:
        try:
            given_back = self.decode(self.encode(_PROBE))
        except Exception as error:  # the library raises a bare Exception for every cause
            raise CheckpointError(f"{self._path}: its tokenizer cannot be used: {error}") from error
        if given_back != _PROBE:
            raise CheckpointError(
                f"{self._path}: its tokenizer does not give back the text that it is given: this"
                " engine knows BPE of bytes, or of characters with bytes to fall back on"
            )

    def _pieces(self, text: str) -> list[int]:
        return [OFFSET + index for index in self._bpe.encode(text).ids]

    def _singly(self, text: bytes) -> list[int]:
        return [self._byte_ids[byte] for byte in text if byte in self._byte_ids]

    def decode(self, ids: Iterable[int]) -> bytes:
        """The bytes the ids stand for; specials give none."""
        return b"".join(self.token_bytes[index] for index in ids)

    def before(self, head: bytes, limit: int) -> list[int]:
        """The nearest tokens before a hole, at most so many."""
        return nearest(self.encode(head[window_start(head, len(head), limit) :]), limit)

    def around(self, head: bytes, tail: bytes, room: int) -> tuple[list[int], list[int]]:
        """The nearest tokens before a hole and behind it, at most so many together."""
        limit = room // _SUFFIX_PART
        behind = self.encode(tail[: window_end(tail, 0, limit)])[:limit]
        return self.before(head, room - limit), behind

    def mute(self, *ids: int) -> None:
        """These of the family's own ids stand for no text, whatever the vocabulary has there."""
        for index in ids:
            if OFFSET + index < len(self.token_bytes):
                self.token_bytes[OFFSET + index] = b""

    def special(self, role: str) -> int | None:
        """The family's own id of what tokenizer_config.json names, as in "bos_token"."""
        named = self._named.get(role)
        content = named.get("content") if isinstance(named, dict) else named
        return self.specials.get(str(content))

    def role(self, config: Mapping[str, Any], role: str) -> int | None:
        """The family's own id of "bos" or "eos": by the tokenizer, else by the config."""
        given = config.get(f"{role}_token_id")
        found = self.special(f"{role}_token")
        if found is None:
            found = given[0] if isinstance(given, list) else given
        return found if isinstance(found, int) else None

    def end(self, config: Mapping[str, Any]) -> int:
        """The family's own id of what ends a text. Raises CheckpointError where nothing says."""
        found = self.role(config, "eos")
        if found is None:
            raise CheckpointError(f"{self._path} does not say which token ends a text")
        return found

    def refuse_unless_within(self, vocabulary: int, mask: int) -> None:
        """Raises CheckpointError where the model has no rows for the tokens."""
        if mask < 0 or max(self.size, mask + 1) > vocabulary:
            raise CheckpointError(
                f"{self._path}: the tokenizer has {self.size} tokens and the mask is {mask}, the"
                f" model has {vocabulary}: these files are of different checkpoints"
            )

    def mask(self, config: Mapping[str, Any], default: int | None = None) -> int:
        """The family's own id of the mask: by the config, the tokenizer, its name, the default."""
        given = config.get("mask_token_id")
        if isinstance(given, int):
            return given
        named = (self.specials.get(name) for name in MASK_NAMES)
        known = (index for index in (self.special("mask_token"), *named, default))
        found = next((index for index in known if index is not None), None)
        if found is None:
            raise CheckpointError(
                f"{self._path} does not say which token is the mask: give its mask_token_id in"
                " config.json"
            )
        return found

    @cached_property
    def _byte_ids(self) -> dict[int, int]:
        return {run[0]: index for index, run in enumerate(self.token_bytes) if len(run) == 1}


@lru_cache(maxsize=1)
def codec_of(folder: Folder) -> FolderCodec:
    """Read once for each folder: a large vocabulary takes seconds. Raises CheckpointError."""
    return FolderCodec(folder)


def _added(folder: Folder, named: Mapping[str, Any]) -> dict[str, int]:
    """Every token that was added to the vocabulary, from all the places that may list it."""
    listed: Iterable[dict[str, Any]] = folder.json_if_any("tokenizer.json").get("added_tokens", [])
    found = {str(one["content"]): int(one["id"]) for one in listed}
    found |= {str(k): int(v) for k, v in folder.json_if_any("added_tokens.json").items()}
    decoder: Mapping[str, dict[str, Any]] = named.get("added_tokens_decoder", {})
    return found | {str(one["content"]): int(index) for index, one in decoder.items()}


def _texts(folder: Folder) -> frozenset[str]:
    """Added tokens that stand for text: Gemma's runs of blanks and of line breaks."""
    listed: Iterable[dict[str, Any]] = folder.json_if_any("tokenizer.json").get("added_tokens", [])
    return frozenset(str(one["content"]) for one in listed if not one.get("special", True))


def _bytes(token: str) -> bytes:
    """Of a piece whose characters stand for bytes; none of any other."""
    byte_of = _byte_of()
    return bytes(byte_of[char] for char in token) if byte_of.keys() >= set(token) else b""


@cache
def _byte_of() -> dict[str, int]:
    return {char: byte for byte, char in enumerate(byte_characters())}


def _characters(token: str) -> bytes:
    """Of a piece that is spelled as it is, but for blanks and single bytes."""
    one = _ONE_BYTE.fullmatch(token)
    return bytes([int(one[1], 16)]) if one else token.replace(_BLANK, " ").encode()


def _bpe(folder: Folder) -> BpeTokenizer:
    """The bare vocabulary: no added tokens, which text could spell, and no change to the text."""
    try:
        if (folder.path / "tokenizer.json").is_file():
            whole = folder.json("tokenizer.json")
            whole |= {"added_tokens": [], "post_processor": None, "truncation": None}
            if (whole.get("normalizer") or {}).get("type") in _NORMAL_FORMS:
                whole["normalizer"] = None
            return BpeTokenizer.from_str(json.dumps(whole))
        vocabulary, merges = folder.path / "vocab.json", folder.path / "merges.txt"
        bpe = BpeTokenizer(models.BPE.from_file(str(vocabulary), str(merges)))
    except CheckpointError:
        raise
    except Exception as error:  # the library raises a bare Exception for every cause
        raise CheckpointError(
            f"{folder.path} has no readable tokenizer.json, or vocab.json and merges.txt: {error}"
        ) from error
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_QWEN_PIECE), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return bpe
