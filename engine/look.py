"""One look at canvases: the denoiser bound to the context that it looks in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from torch import Tensor

from engine.batch import Asked
from engine.inference import Bound, Glance, Inference


@dataclass(frozen=True, slots=True)
class BoundLook:
    """A denoiser between a prefix and a suffix. A `Look`."""

    inference: Inference
    context: Bound

    def __call__(self, tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        """As a `Look` has to."""
        (log_probs_PV,) = look_together([Asked(self, tokens_NC, wanted_NC)])
        return log_probs_PV


def look_together(asked: Sequence[Asked]) -> list[Tensor]:
    """What several bound looks of one denoiser give, in one pass.

    Rows in which nothing is wanted are not computed: rows do not see each other.
    """
    glances: list[Glance] = []
    for look, tokens_NC, wanted_NC in asked:
        context, rows_N = cast("BoundLook", look).context, wanted_NC.any(1)
        glances.append(Glance(context, tokens_NC[rows_N], wanted_NC[rows_N]))
    return cast("BoundLook", asked[0].look).inference.look(glances)
