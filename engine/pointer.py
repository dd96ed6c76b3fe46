"""The pointer: a token may be copied from the context instead of drawn from the vocabulary.

A small model cannot know a project's names, but it sees them. One query per key head, made from the
last hidden state, looks at the last layer's keys, which are there anyway; the weight it puts on a
context token is the probability of copying that token. A gate mixes this with the softmax over the
vocabulary. So the whole of a rare name can be said by a model that never learned it.

Shape letters as in `engine/model.py`; S is the context tokens in sight, X any leading axes.

Sources: pointer-generator networks, arXiv:1704.04368; for code completion, arXiv:1711.09573.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_CLOSED = -2.0
"""The gate's logit at the start: 12 % of the probability is copied."""
_FLOOR = 1e-9


class Pointer(nn.Module):
    """Queries for the last layer's keys, and the gate."""

    def __init__(self, width: int, heads: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.query = nn.Linear(width, heads * size, bias=False)
        self.query_norm = nn.RMSNorm(size)
        self.gate = nn.Linear(width, 1)

    def close(self) -> None:
        """Begin with a gate that is nearly closed and does not look at the state."""
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, _CLOSED)

    def queries(self, hidden_XD: Tensor) -> Tensor:
        """[X, K, E] from hidden states [X, D]; their product with a key is a score."""
        return (
            self.query_norm(self.query(hidden_XD).unflatten(-1, (-1, self.size))) * self.size**-0.5
        )

    def odds(self, hidden_XD: Tensor) -> Tensor:
        """Logit [X] of copying, from hidden states [X, D]."""
        return self.gate(hidden_XD)[..., 0].float()


def copied_nats(weights_XS: Tensor, tokens_XS: Tensor, target_X: Tensor) -> Tensor:
    """Log-probability, nats [X], that copying gives the target. Broadcasts tokens over X."""
    hit_XS = tokens_XS == target_X[..., None]
    return ((weights_XS * hit_XS).sum(-1) + _FLOOR).log()


def mixed_nats(vocabulary_X: Tensor, copied_X: Tensor, odds_X: Tensor) -> Tensor:
    """Log-probability [X] of a token from both ways to say it. `odds_X`: logit of copying."""
    return torch.logaddexp(vocabulary_X + F.logsigmoid(-odds_X), copied_X + F.logsigmoid(odds_X))


def mixed(logits_XV: Tensor, weights_XS: Tensor, tokens_XS: Tensor, odds_X: Tensor) -> Tensor:
    """Log-probabilities [X, V] over the whole vocabulary, from the weights on tokens [X, S]."""
    share_X1 = torch.sigmoid(odds_X)[..., None]
    chance_XV = torch.softmax(logits_XV, -1) * (1 - share_X1)
    return chance_XV.scatter_add(-1, tokens_XS, weights_XS * share_X1).clamp(min=_FLOOR**2).log()
