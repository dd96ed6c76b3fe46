"""Feed-forward layers: gated, and a choice of many gated ones for each token.

Shape letters: X tokens, Y blocks of B of them, D width, P experts, A those chosen for a token.

Sources: SwiGLU, arXiv:2002.05202; experts, OLMoE, arXiv:2409.02060; choice by groups with a bias
that balances the load, DeepSeek-V3, arXiv:2412.19437; by blocks, LLaDA2.2, its report, section 2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Routing:
    """How a token's experts are chosen and weighed.

    count, chosen   experts, and how many of them a token takes
    hidden, shared  width inside an expert, and inside the one that every token takes; 0: there is
                    none
    score           "softmax" or "sigmoid" of the router's logits is an expert's weight
    normalised      do the weights of the chosen ones sum to 1?
    scale           what they are multiplied with then
    biased          is a learned bias added to the scores for the choice, but not to the weights?
    groups, open    experts stand in so many groups; only the best so many are open to a token, a
                    group being as good as its two best experts
    block, pool     so many consecutive tokens choose among the same few experts, those that one of
                    them wants most; 0: among all
    """

    count: int
    chosen: int
    hidden: int
    shared: int = 0
    score: str = "softmax"
    normalised: bool = False
    scale: float = 1.0
    biased: bool = False
    groups: int = 1
    open: int = 1
    block: int = 0
    pool: int = 0


class FeedForward(nn.Module):
    """down(silu(gate(x)) * up(x))."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, hidden, bias=False)
        self.up_proj = nn.Linear(width, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, x_XD: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x_XD)) * self.up_proj(x_XD))


class PlainFeedForward(nn.Module):
    """project(gelu(fully_connected(x))), with the gelu that is approximated by tanh."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, hidden)
        self.c_proj = nn.Linear(hidden, width)

    def forward(self, x_XD: Tensor) -> Tensor:
        return self.c_proj(F.gelu(self.c_fc(x_XD), approximate="tanh"))


class Choice(NamedTuple):
    """Experts of each token, int64 [X, A], and their weights, float32 [X, A]."""

    experts_XA: Tensor
    weights_XA: Tensor


class Router(nn.Module):
    """Chooses in float32, whatever the weights' precision: a near tie must not depend on it."""

    def __init__(self, width: int, routing: Routing) -> None:
        super().__init__()
        self.routing = routing
        self.weight = nn.Parameter(torch.empty(routing.count, width))
        self.expert_bias = nn.Parameter(torch.empty(routing.count)) if routing.biased else None

    def forward(self, x_XD: Tensor) -> Choice:
        routing = self.routing
        logits_XP = F.linear(x_XD.float(), self.weight.float())
        scores_XP = logits_XP.sigmoid() if routing.score == "sigmoid" else logits_XP.softmax(-1)
        wanted_XP = scores_XP if self.expert_bias is None else scores_XP + self.expert_bias.float()
        experts_XA = self._open(wanted_XP).topk(routing.chosen, -1).indices
        weights_XA = scores_XP.gather(-1, experts_XA)
        if routing.normalised:
            weights_XA = weights_XA / (weights_XA.sum(-1, keepdim=True) + 1e-20)
        return Choice(experts_XA, weights_XA * routing.scale)

    def _open(self, wanted_XP: Tensor) -> Tensor:
        """Minus infinity where experts are closed to a token, by its groups or its block."""
        if self.routing.pool:
            return self._pooled(wanted_XP)
        if self.routing.groups == 1:
            return wanted_XP
        grouped_XGP = wanted_XP.unflatten(-1, (self.routing.groups, -1))
        best_XG = grouped_XGP.topk(2, -1).values.sum(-1)
        open_XO = best_XG.topk(self.routing.open, -1).indices
        closed_XG = torch.ones_like(best_XG, dtype=torch.bool).scatter(-1, open_XO, value=False)
        return grouped_XGP.masked_fill(closed_XG[..., None], float("-inf")).flatten(-2)

    def _pooled(self, wanted_XP: Tensor) -> Tensor:
        blocks_YBP = wanted_XP.unflatten(0, (-1, self.routing.block))
        open_YO = blocks_YBP.amax(1).topk(self.routing.pool, -1).indices
        closed_YP = torch.ones_like(blocks_YBP[:, 0], dtype=torch.bool)
        closed_YP = closed_YP.scatter(-1, open_YO, value=False)
        return blocks_YBP.masked_fill(closed_YP[:, None], float("-inf")).flatten(0, 1)


def mixed(x_XD: Tensor, choice: Choice, expert: Callable[[int, Tensor], Tensor]) -> Tensor:
    """What its experts make of each token, weighed, [X, D].

    expert  by its number, applied to the R tokens that chose it
    """
    mixed_XD = torch.zeros_like(x_XD)
    for index in choice.experts_XA.unique().tolist():
        rows, places = (choice.experts_XA == index).nonzero(as_tuple=True)
        weights_R1 = choice.weights_XA[rows, places, None].to(x_XD.dtype)
        mixed_XD.index_add_(0, rows, expert(index, x_XD[rows]) * weights_R1)
    return mixed_XD


class Experts(nn.Module):
    """Each token takes the experts that the router chooses for it, and the shared one."""

    def __init__(self, width: int, routing: Routing) -> None:
        super().__init__()
        self.gate = Router(width, routing)
        self.experts = nn.ModuleList(
            FeedForward(width, routing.hidden) for _ in range(routing.count)
        )
        self.shared_experts = FeedForward(width, routing.shared) if routing.shared else None

    def forward(self, x_NTD: Tensor) -> Tensor:
        x_XD = x_NTD.flatten(0, -2)
        mixed_XD = mixed(x_XD, self.gate(x_XD), lambda index, x_RD: self.experts[index](x_RD))
        if self.shared_experts is not None:
            mixed_XD = mixed_XD + self.shared_experts(x_XD)
        return mixed_XD.view_as(x_NTD)
