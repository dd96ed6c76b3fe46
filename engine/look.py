"""One look at canvases: the denoiser bound to the context that it looks in."""

import torch
from torch import Tensor

from engine.kv_cache import Read, context_of
from engine.model import Denoiser
from engine.sampler import Look


def bound(model: Denoiser, prefix: Read, suffix: Read, before: int) -> Look:
    """The denoiser between a prefix, whose last token is `before`, and a suffix.

    Rows in which nothing is wanted are not computed: rows do not see each other.
    """

    def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        rows_N = wanted_NC.any(1)
        tokens_BNC, wanted_BNC = tokens_NC[rows_N][None], wanted_NC[rows_N][None]
        context = context_of(prefix, suffix, tokens_BNC.shape[1])
        before_BN = torch.full(tokens_BNC.shape[:2], before, device=tokens_BNC.device)
        hidden_BNCD = model.denoise(tokens_BNC, before_BN, context)
        return model.log_probs(hidden_BNCD, context, wanted_BNC)

    return look
