"""What the engine asks of a model, as types. The rules between the two are in `__init__.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from engine.batch import Together
from engine.device import Placement
from engine.lengths import LengthControl
from engine.sampler import Look
from engine.schedule import Rule
from engine.tokenizer import Codec
from engine.vocabulary import Vocabulary

CONTEXT_TOKENS = 2048
"""Other people's models see no more of a text: many were made for no more, and more is slow."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What never changes of a loaded model.

    checksum     hexadecimal, as `rendezvous.checkpoint_checksum` gives it for the folder
    parameters   number of weights
    slots        sizes of a canvas, smallest first
    fill_tokens  the longest fill
    together     looks of several requests in one pass, if that is possible: it takes readings that
                 hold while others are read
    """

    name: str
    checksum: str
    parameters: int
    placement: Placement
    tokenizer: Codec
    vocabulary: Vocabulary
    lengths: LengthControl
    rule: Rule
    slots: tuple[int, ...]
    fill_tokens: int
    together: Together | None = None


class Reading(NamedTuple):
    """A look bound to a context that was read.

    encoded  context tokens that had to be computed; the others were in a cache
    context  context tokens in sight
    slots    at most, of a canvas that is filled in this context; None: as the traits say
    """

    look: Look
    encoded: int
    context: int
    slots: int | None = None


class Model(Protocol):
    """A checkpoint on a device."""

    @property
    def traits(self) -> Traits: ...

    def streams(self, language: str, head: bytes, tail: bytes) -> tuple[list[int], list[int]]:
        """Prefix and suffix tokens, as many as this model can see, of the text around a hole."""
        ...

    def read(self, prefix: Sequence[int], suffix: Sequence[int], done: Sequence[int]) -> Reading:
        """Bind a look to a context.

        prefix, suffix  as `streams` gave them
        done            tokens of the hole that are filled already, before the canvas
        """
        ...


@dataclass(frozen=True, slots=True)
class Facts:
    """What a user may want to know of a model.

    sees_suffix  does it see what stands behind the hole?
    mask         the family's own id of a masked slot; None: it has none
    block        tokens that see each other, in a model that sees in blocks
    """

    sees_suffix: bool
    mask: int | None = None
    block: int | None = None


class Plan(Protocol):
    """A checkpoint that was understood, all but its weights."""

    @property
    def facts(self) -> Facts: ...

    def check(self) -> None:
        """Raises CheckpointError where `load` would, as far as headers tell."""
        ...

    def load(self, placement: Placement) -> Model:
        """The model, on a device. Raises CheckpointError."""
        ...
