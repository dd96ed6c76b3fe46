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

OFFSET = 2
"""The engine's own ids, MASK and EOM, come before those of a vocabulary that has not got them."""


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
