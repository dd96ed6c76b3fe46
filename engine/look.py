"""One look at canvases: the denoiser bound to the context that it looks in."""

from torch import Tensor

from engine.inference import Glance, Inference
from engine.kv_cache import Read
from engine.sampler import Look


def bound(inference: Inference, prefix: Read, suffix: Read, before: int) -> Look:
    """The denoiser between a prefix, whose last token is `before`, and a suffix.

    Rows in which nothing is wanted are not computed: rows do not see each other.
    """
    context = inference.bind(prefix, suffix, before)

    def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        rows_N = wanted_NC.any(1)
        (log_probs_PV,) = inference.look([Glance(context, tokens_NC[rows_N], wanted_NC[rows_N])])
        return log_probs_PV

    return look
