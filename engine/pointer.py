"""The pointer: a token may be copied from the context instead of drawn from the vocabulary.

A small model cannot know a project's names, but it sees them. One query per key head, made from the
last hidden state, scores the last layer's keys, which are there anyway; a softmax over the scores
says which token to copy, and the scores together, against a gate, whether to copy at all: where
nothing in sight fits, the vocabulary has the word. So the whole of a rare name can be said by a
model that never learned it.

Shape letters as in `engine/model.py`; S is the context tokens in sight, X any leading axes.

Sources: pointer-generator networks, arXiv:1704.04368; a gate that competes with the scores, pointer
sentinels, arXiv:1609.07843; for code completion, arXiv:1711.09573.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_CLOSED = -8.0
"""The gate's bias at the start: against 500 scores of 0, 14 % of the probability is copied."""
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

    def odds(self, hidden_XD: Tensor, scores_XS: Tensor) -> Tensor:
        """Logit [X] of copying, from hidden states [X, D] and all the scores [X, S]."""
        return self.gate(hidden_XD)[..., 0].float() + torch.logsumexp(scores_XS, -1)


def copied_nats(scores_XS: Tensor, tokens_XS: Tensor, target_X: Tensor) -> Tensor:
    """Log-probability, nats [X], that copying gives the target. Broadcasts tokens over X."""
    hit_XS = tokens_XS == target_X[..., None]
    return ((torch.softmax(scores_XS, -1) * hit_XS).sum(-1) + _FLOOR).log()


def mixed_nats(vocabulary_X: Tensor, copied_X: Tensor, odds_X: Tensor) -> Tensor:
    """Log-probability [X] of a token from both ways to say it. `odds_X`: logit of copying."""
    return torch.logaddexp(vocabulary_X + F.logsigmoid(-odds_X), copied_X + F.logsigmoid(odds_X))


def mixed(logits_XV: Tensor, scores_XS: Tensor, tokens_XS: Tensor, odds_X: Tensor) -> Tensor:
    """Log-probabilities [X, V] over the whole vocabulary, from the scores of tokens [X, S]."""
    share_X1 = torch.sigmoid(odds_X)[..., None]
    chance_XV = torch.softmax(logits_XV, -1) * (1 - share_X1)
    copied_XS = torch.softmax(scores_XS, -1) * share_X1
    return chance_XV.scatter_add(-1, tokens_XS, copied_XS).clamp(min=_FLOOR**2).log()
