"""Models that see in blocks, put before the engine: a canvas is what is left of a block.

They see no text behind the block that they fill. A family whose prompt says the suffix first (*fill
in the middle*) knows it so; the others write on from the prefix, and what they repeat of the text
behind the hole is trimmed as ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from torch import Tensor

from engine.families.blocks import Blocks
from engine.families.codec import FolderCodec
from engine.families.folder import Folder
from engine.families.ids import engine_ids, engine_log_probs, own_canvas, own_ids
from engine.families.model import CONTEXT_TOKENS, Facts, Reading, Traits
from engine.families.stack import Filling, StackPlan
from engine.families.transformer import Shape, Transformer
from engine.lengths import EndOfMiddle
from engine.schedule import Rule, singly

_SLOTS = 16
"""Of a canvas that is not filled but judged: a guess or a draft may be longer than a block."""
_FILL_TOKENS = 96


@dataclass(frozen=True, slots=True)
class SuffixFirst:
    """The tokens of a prompt that has the suffix first: before it, before the prefix, behind it."""

    suffix: int
    prefix: int
    middle: int


class Edits(NamedTuple):
    """How a model goes over what it wrote; see `rewrite` and `polish` of `Rule`."""

    confident: float
    polish: int


@dataclass(frozen=True, slots=True)
class BlockLayout:
    """How a family is given a text and fills it; ids are its own.

    block      tokens that see each other
    mask, end  a masked slot; what ends a text
    part       how many are filled together, the rest of the block masked; None: the block
    shifted    is a token read off the one before it?
    prompt     how the suffix is said; None: not at all
    """

    block: int
    mask: int
    end: int
    part: int | None = None
    shifted: bool = False
    prompt: SuffixFirst | None = None


class Blockwise:
    """A stack on a device, and how to lay out a text for it."""

    def __init__(
        self, stack: Transformer, codec: FolderCodec, traits: Traits, layout: BlockLayout
    ) -> None:
        self.traits = traits
        self._stack, self._codec, self._layout = stack, codec, layout
        self._blocks = Blocks(stack, layout.block)

    def streams(self, language: str, head: bytes, tail: bytes) -> tuple[list[int], list[int]]:
        """The prefix left to right, all the prompt before it; there is no suffix stream."""
        del language
        prompt, room = self._layout.prompt, CONTEXT_TOKENS - self.traits.fill_tokens
        if prompt is None:
            return self._codec.before(head, room) or engine_ids([self._layout.end]), []
        before, behind = self._codec.around(head, tail, room - 3)
        first, second, third = engine_ids([prompt.suffix, prompt.prefix, prompt.middle])
        return [first, *behind, second, *before, third], []

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
        part = self._layout.part or self._layout.block
        return part - context % part


def blockwise(
    folder: Folder,
    codec: FolderCodec,
    shape: Shape,
    layout: BlockLayout,
    confident: float,
    edits: Edits | None = None,
) -> StackPlan:
    """The plan of a model that unmasks every place as sure as `confident`, and one a pass at least.

    Its parameters have the names that Llama's have, unless the plan is given others.
    """
    part, polish = layout.part or layout.block, edits.polish if edits else 0
    rule = Rule(
        confident=confident,
        remask_limit=0,
        passes=part + polish,
        lengths=1,
        guesses=0,
        quota=singly,
        rewrite=edits.confident if edits else None,
        polish=polish,
    )
    return StackPlan(
        folder=folder,
        codec=codec,
        shape=shape,
        facts=Facts(sees_suffix=layout.prompt is not None, mask=layout.mask, block=layout.block),
        assemble=partial(Blockwise, layout=layout),
        filling=Filling(EndOfMiddle, rule, (max(part, _SLOTS),), _FILL_TOKENS),
    )
