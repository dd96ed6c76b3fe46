"""Models that see in blocks, put before the engine: a canvas is what is left of a block.

They see no text behind the block that they fill. A family whose prompt says the suffix first (*fill
in the middle*) knows it so; the others write on from the prefix, and what they repeat of the text
behind the hole is trimmed as ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from engine.device import Placement
from engine.families.blocks import Blocks
from engine.families.codec import FolderCodec
from engine.families.folder import Folder
from engine.families.full import engine_ids, engine_log_probs, own_canvas, own_ids
from engine.families.model import Reading, Traits
from engine.families.stack import Filling, traits_of, vocabulary_of
from engine.families.transformer import Transformer
from engine.lengths import EndOfMiddle
from engine.schedule import Rule, singly
from engine.segments import nearest, window_end, window_start

_SLOTS = 16
"""Of a canvas that is not filled but judged: a guess or a draft may be longer than a block."""
_FILL_TOKENS = 96
_SUFFIX_PART = 4
"""One part in so many of the context goes to the suffix, where it is seen."""


@dataclass(frozen=True, slots=True)
class FillInTheMiddle:
    """The tokens of a prompt that has the suffix first: before it, before the prefix, behind it."""

    suffix: int
    prefix: int
    middle: int


@dataclass(frozen=True, slots=True)
class BlockLayout:
    """How a family is given a text and fills it; ids are its own.

    block           tokens that see each other
    part            of them, how many are filled together, the rest of the block masked
    mask, end       a masked slot; what ends a text
    shifted         is a token read off the one before it?
    context_tokens  the longest sequence it was made for, or we care to read
    prompt          how the suffix is said; None: not at all
    """

    block: int
    part: int
    mask: int
    end: int
    shifted: bool
    context_tokens: int
    prompt: FillInTheMiddle | None = None


class Blockwise:
    """A stack on a device, and how to lay out a text for it."""

    def __init__(
        self, stack: Transformer, codec: FolderCodec, layout: BlockLayout, traits: Traits
    ) -> None:
        self.traits = traits
        self._stack, self._codec, self._layout = stack, codec, layout
        self._blocks = Blocks(stack, layout.block)

    def streams(self, language: str, head: bytes, tail: bytes) -> tuple[list[int], list[int]]:
        """The prefix left to right, all the prompt before it; there is no suffix stream."""
        del language
        prompt, most = self._layout.prompt, self._layout.context_tokens - self.traits.fill_tokens
        if prompt is None:
            return self._nearest(head, most) or engine_ids([self._layout.end]), []
        limit = most // _SUFFIX_PART
        behind = self._codec.encode(tail[: window_end(tail, 0, limit)])[:limit]
        first, second, third = engine_ids([prompt.suffix, prompt.prefix, prompt.middle])
        return [first, *behind, second, *self._nearest(head, most - limit - 3), third], []

    def read(self, prefix: Sequence[int], suffix: Sequence[int], done: Sequence[int]) -> Reading:
        """A canvas should have no more slots than the part of a block that is being filled."""
        del suffix
        context, layout = own_ids([*prefix, *done]), self._layout
        opened = self._blocks.read(context)

        def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
            rows_N = wanted_NC.any(1)
            canvas_NC = own_canvas(tokens_NC[rows_N], layout.mask, self._beyond)
            own_NCD, before_NCD = opened.look(canvas_NC, layout.mask)
            hidden_NCD = before_NCD if layout.shifted else own_NCD
            logits_PV = self._stack.logits(hidden_NCD[wanted_NC[rows_N]])
            return engine_log_probs(logits_PV, layout.end)

        return Reading(look, opened.encoded, len(context), self._room(len(context)))

    @property
    def _beyond(self) -> int:
        """What stands where a row has ended: the end, if the model knows what follows."""
        return self._layout.end if self._layout.prompt else self._layout.mask

    def _room(self, context: int) -> int:
        if self._layout.shifted and context % self._layout.block == 0:
            return 1  # it hangs on full blocks alone, and so comes first
        return self._layout.part - context % self._layout.part

    def _nearest(self, head: bytes, limit: int) -> list[int]:
        return nearest(self._codec.encode(head[window_start(head, len(head), limit) :]), limit)


def blockwise(
    folder: Folder,
    placement: Placement,
    stack: Transformer,
    codec: FolderCodec,
    layout: BlockLayout,
    confident: float,
) -> Blockwise:
    """A model that unmasks every place as sure as `confident`, and one a pass at least.

    Raises CheckpointError where the tokenizer is another model's.
    """
    codec.refuse_unless_within(stack.shape.vocabulary, layout.mask)
    rule = Rule(
        confident=confident,
        remask_limit=0,
        passes=layout.part,
        lengths=1,
        guesses=0,
        quota=singly,
    )
    lengths = EndOfMiddle(vocabulary_of(codec, stack.shape, placement))
    filling = Filling(lengths, rule, (max(layout.part, _SLOTS),), _FILL_TOKENS)
    traits = traits_of(folder, placement, stack, codec, filling)
    return Blockwise(stack, codec, layout, traits)
