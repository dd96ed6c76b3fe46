"""Bytes to token ids and back: byte-level BPE over code.

A token is a run of bytes; every byte string round-trips, valid UTF-8 or not. A line break with the
indentation after it is one piece, as is any run of blanks, so that the shape of a block costs one
token a line. Digits stand alone. Absent on purpose: normalisation, lower-casing, "unknown".
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # forked workers would warn on every start

from tokenizers import Regex, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as BpeTokenizer

from engine.errors import CheckpointError, CorpusError

MASK, EOM, FILE = 0, 1, 2
"""Masked place; end of the middle (nothing more in this hole); start or end of a file."""

LANGUAGES = (
    "other",
    "python",
    "javascript",
    "typescript",
    "go",
    "rust",
    "java",
    "c",
    "cpp",
)
"""Languages with a tag of their own: the first token of every context segment."""

FIRST_TAG = 3
SPECIALS = ("<mask>", "<eom>", "<file>", *(f"<{language}>" for language in LANGUAGES))

_PIECE = r"\r?\n[ \t]*| ?[\p{L}_]+|\p{N}| ?[^\s\p{L}\p{N}_]+|[ \t]+|\s"

_LINE = re.compile(rb"\r?\n[^\r\n]*|[^\r\n]+|\r")
"""No piece goes on over the edge of one of these."""

_LINES_KEPT = 4096

_ALIASES = {"javascriptreact": "javascript", "typescriptreact": "typescript"}


class Codec(Protocol):
    """Bytes to ids and back, as the engine asks it of any tokenizer.

    token_bytes  what each id stands for; nothing for specials
    """

    token_bytes: list[bytes]

    def encode(self, text: bytes) -> list[int]: ...

    def decode(self, ids: Iterable[int]) -> bytes: ...


class Tokenizer:
    """A trained vocabulary. Ids below `len(SPECIALS)` are specials and stand for no bytes."""

    def __init__(self, bpe: BpeTokenizer) -> None:
        self._bpe = bpe
        bpe.encode_special_tokens = True  # text that spells a special is text
        vocabulary = bpe.get_vocab()
        self.size = len(vocabulary)
        self.token_bytes: list[bytes] = [b""] * self.size
        byte_of = {char: byte for byte, char in enumerate(byte_characters())}
        for token, index in vocabulary.items():
            if index >= len(SPECIALS):
                self.token_bytes[index] = bytes(byte_of[char] for char in token)
        self._byte_ids = {run[0]: i for i, run in enumerate(self.token_bytes) if len(run) == 1}
        self._line = lru_cache(_LINES_KEPT)(lambda line: self.encode_pieces([line])[0])

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read a tokenizer.json. Raises CheckpointError when it is missing or is not ours."""
        try:
            bpe = BpeTokenizer.from_file(str(path))
        except Exception as error:  # the library raises a bare Exception for every cause
            raise CheckpointError(f"{path} is not a readable tokenizer: {error}") from error
        if any(bpe.token_to_id(name) != index for index, name in enumerate(SPECIALS)):
            raise CheckpointError(f"{path} lacks the special tokens of this engine: train it anew")
        try:
            return cls(bpe)
        except KeyError as error:
            raise CheckpointError(
                f"{path} is not a byte-level vocabulary: train it anew"
            ) from error

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary_size: int) -> "Tokenizer":
        """Learn `vocabulary_size` tokens, specials and all 256 bytes included.

        Raises CorpusError when the texts are too few to learn that many.
        """
        bpe = BpeTokenizer(models.BPE())
        bpe.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_PIECE), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary_size,
            special_tokens=list(SPECIALS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            max_token_length=24,
            show_progress=False,
        )
        bpe.train_from_iterator(texts, trainer)
        if bpe.get_vocab_size() < vocabulary_size:
            raise CorpusError(
                f"the text gave {bpe.get_vocab_size()} tokens where {vocabulary_size} were asked:"
                " give more text or ask for fewer"
            )
        return cls(bpe)

    def save(self, path: Path) -> None:
        """Write tokenizer.json."""
        path.write_text(self._bpe.to_str())  # the library's own writer hides why it failed

    def encode(self, text: bytes) -> list[int]:
        """Token ids whose bytes, joined, are exactly `text`. Text never becomes a special.

        Lines are remembered: at the next key all but one are what they were.
        """
        return [token for line in _LINE.findall(text) for token in self._line(line)]

    def encode_pieces(self, pieces: Sequence[bytes]) -> list[list[int]]:
        """Encode each piece on its own, so that every piece begins and ends at a token edge."""
        try:
            texts = [piece.decode() for piece in pieces]
        except UnicodeDecodeError:
            return [self._encode_any(piece) for piece in pieces]
        return [encoding.ids for encoding in self._bpe.encode_batch_fast(texts)]

    def decode(self, ids: Iterable[int]) -> bytes:
        """The bytes the ids stand for; specials give none."""
        return b"".join(self.token_bytes[index] for index in ids)

    def tag(self, language: str) -> int:
        """The special that opens a segment in this LSP language; "other" for one we do not know."""
        name = _ALIASES.get(language, language)
        return FIRST_TAG + (LANGUAGES.index(name) if name in LANGUAGES else 0)

    def _encode_any(self, text: bytes) -> list[int]:
        ids: list[int] = []
        for valid, stray in utf8_runs(text):
            ids += self._bpe.encode(valid).ids
            ids += [self._byte_ids[byte] for byte in stray]
        return ids


def utf8_runs(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Cut bytes into (valid UTF-8, the bytes after it that are not)."""
    while text:
        try:
            valid, stray, text = text.decode(), b"", b""
        except UnicodeDecodeError as error:
            valid, stray = text[: error.start].decode(), text[error.start : error.end]
            text = text[error.end :]
        yield valid, stray


def byte_characters() -> list[str]:
    """The printable character for each byte in a byte-level vocabulary (GPT-2's table)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = {byte: chr(byte) for byte in printable}
    characters |= {byte: chr(256 + index) for index, byte in enumerate(others)}
    return [characters[byte] for byte in range(256)]
