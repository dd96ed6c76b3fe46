"""How much of each language: the weights of a training run, and samples drawn by them."""

import random
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

MIX = {
    "python": 0.4,
    "javascript": 0.08,
    "typescript": 0.12,
    "go": 0.1,
    "rust": 0.1,
    "java": 0.1,
    "c": 0.05,
    "cpp": 0.05,
}

SAMPLE_SIZE = 60_000_000
"""Text a tokenizer is trained on; more changes little and takes memory."""


class Sized(Protocol):
    """A text of some language. `size` is in characters or bytes, the same for all compared."""

    @property
    def language(self) -> str: ...

    @property
    def size(self) -> int: ...


Text = TypeVar("Text", bound=Sized)


def sample(texts: Sequence[Text], mix: Mapping[str, float], size: int) -> list[Text]:
    """Texts of about `size` in all, each language by its weight, in random order, repeatably."""
    left = {language: share * size / sum(mix.values()) for language, share in mix.items()}
    drawn: list[Text] = []
    for text in random.Random(0).sample(texts, len(texts)):
        if left.get(text.language, 0) > 0:
            left[text.language] -= text.size
            drawn.append(text)
    return drawn
