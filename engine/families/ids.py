"""A family's own ids and the engine's, one into the other.

The engine's own two, MASK and EOM, come before those of a vocabulary that has not got them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.tokenizer import EOM, MASK

OFFSET = 2
"""A family's token i is the engine's i + OFFSET."""


def engine_ids(ids: Sequence[int]) -> list[int]:
    """A family's own ids as the engine's."""
    return [OFFSET + index for index in ids]


def own_ids(ids: Sequence[int]) -> list[int]:
    """The engine's ids, none of them MASK or EOM, as a family's own."""
    return [index - OFFSET for index in ids]


def own_canvas(tokens_NC: Tensor, mask: int, end: int) -> Tensor:
    """A canvas in a family's own ids."""
    shifted_NC = (tokens_NC - OFFSET).masked_fill(tokens_NC == MASK, mask)
    return shifted_NC.masked_fill(tokens_NC == EOM, end)


def engine_log_probs(logits_PV: Tensor, end: int) -> Tensor:
    """Logits over a family's ids as log-probabilities [P, OFFSET + V] over the engine's.

    The odds of `end` are those of EOM too; nothing is ever MASK.
    """
    log_probs_PV = torch.log_softmax(logits_PV.float(), -1)
    never_P1 = torch.full_like(log_probs_PV[:, :1], float("-inf"))
    return torch.cat([never_P1, log_probs_PV[:, end : end + 1], log_probs_PV], 1)
