"""The stack that Llama, Qwen and most of their kin share, with attention left to the caller.

RMSNorm, rotary positions, grouped heads, gated feed-forward; what differs (bias, norms on queries
and keys, how much of a head is turned, which layers have experts, GPT's plainer parts) is in the
`Shape`. Who sees whom
is a mask: causal, block-causal and bidirectional models are the same stack.

Parameters are named as in the folders of Llama and Qwen, without their leading "model."; a family
whose folders have other names translates them when it loads.

Shape letters: N rows, T new tokens, S tokens in sight (those before and the new ones), D width,
H query heads, K key heads, E head size, V vocabulary.

Sources: Llama, arXiv:2302.13971; Qwen2, arXiv:2407.10671; Qwen3, arXiv:2505.09388.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.families.experts import Experts, FeedForward, PlainFeedForward, Routing
from engine.families.past import KeysValues, Past


@dataclass(frozen=True, slots=True)
class Shape:
    """What a stack is made of.

    stretch   what positions are divided by
    turned    share of each head that rotary positions turn
    plain     LayerNorm, a feed-forward without a gate, and a bias everywhere, as in GPT
    routing   how layers with experts choose among them; None: none has any
    dense     layers before the first with experts
    """

    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    hidden: int
    rope_base: float
    epsilon: float
    stretch: float = 1.0
    turned: float = 1.0
    plain: bool = False
    qkv_bias: bool = False
    qk_norm: bool = False
    tied: bool = False
    routing: Routing | None = None
    dense: int = 0


class Turn(NamedTuple):
    """Cosines and sines [N or 1, 1, T, R/2] that turn the first R of a head to a position."""

    cos: Tensor
    sin: Tensor


class Transformer(nn.Module):
    """Tokens in, hidden states out, and the keys and values on the way."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.norm = _norm(shape)
        self.lm_head = nn.Linear(shape.width, shape.vocabulary, bias=False)
        if shape.tied:
            self.lm_head.weight = self.embed_tokens.weight
        self.layers = nn.ModuleList(Layer(shape, index) for index in range(shape.layers))

    def forward(
        self,
        tokens_NT: Tensor,
        positions_NT: Tensor,
        seen_NTS: Tensor | None = None,
        past: Sequence[KeysValues] = (),
    ) -> tuple[Tensor, Past]:
        """Hidden states [N, T, D] after the last norm; keys and values of these tokens alone.

        tokens_NT     int64 ids
        positions_NT  int64; one row serves all
        seen_NTS      bool, what each token attends to, the past first; None: everything
        past          what earlier calls gave for the tokens before these
        """
        x_NTD = self.embed_tokens(tokens_NT)
        turn = self._turn(positions_NT, x_NTD.dtype)
        seen_N1TS = None if seen_NTS is None else seen_NTS[:, None]
        read: Past = []
        for index, layer in enumerate(cast("list[Layer]", list(self.layers))):
            x_NTD, kept = layer(x_NTD, turn, seen_N1TS, past[index] if past else None)
            read.append(kept)
        return self.norm(x_NTD), read

    def logits(self, hidden_XD: Tensor) -> Tensor:
        """float32 [..., V]."""
        return self.lm_head(hidden_XD).float()

    def _turn(self, positions_NT: Tensor, dtype: torch.dtype) -> Turn:
        turned = int(self.shape.head_size * self.shape.turned)
        exponents = torch.arange(0, turned, 2, device=positions_NT.device).float() / turned
        places = positions_NT[:, None, :, None].float() / self.shape.stretch
        angles = places * self.shape.rope_base**-exponents
        return Turn(angles.cos().to(dtype), angles.sin().to(dtype))


class Layer(nn.Module):
    """Attention, then feed-forward, each on normalised input and added to it."""

    def __init__(self, shape: Shape, index: int) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        if shape.routing and index >= shape.dense:
            self.mlp = Experts(shape.width, shape.routing)
        else:
            self.mlp = (PlainFeedForward if shape.plain else FeedForward)(shape.width, shape.hidden)
        self.input_layernorm = _norm(shape)
        self.post_attention_layernorm = _norm(shape)

    def forward(
        self, x_NTD: Tensor, turn: Turn, seen_N1TS: Tensor | None, past: KeysValues | None
    ) -> tuple[Tensor, KeysValues]:
        mixed_NTD, kept = self.self_attn(self.input_layernorm(x_NTD), turn, seen_N1TS, past)
        x_NTD = x_NTD + mixed_NTD
        return x_NTD + self.mlp(self.post_attention_layernorm(x_NTD)), kept


class Attention(nn.Module):
    """Grouped heads over the past and the new tokens."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        size, bias = shape.head_size, shape.qkv_bias or shape.plain
        self.size = size
        self.q_proj = nn.Linear(shape.width, shape.heads * size, bias=bias)
        self.k_proj = nn.Linear(shape.width, shape.kv_heads * size, bias=bias)
        self.v_proj = nn.Linear(shape.width, shape.kv_heads * size, bias=bias)
        self.o_proj = nn.Linear(shape.heads * size, shape.width, bias=shape.plain)
        self.q_norm = nn.RMSNorm(size, shape.epsilon) if shape.qk_norm else nn.Identity()
        self.k_norm = nn.RMSNorm(size, shape.epsilon) if shape.qk_norm else nn.Identity()

    def forward(
        self, x_NTD: Tensor, turn: Turn, seen_N1TS: Tensor | None, past: KeysValues | None
    ) -> tuple[Tensor, KeysValues]:
        q_NHTE = turned(self.q_norm(self._heads(self.q_proj(x_NTD))), turn)
        keys = turned(self.k_norm(self._heads(self.k_proj(x_NTD))), turn)
        kept = KeysValues(keys, self._heads(self.v_proj(x_NTD)))
        k_NKSE, v_NKSE = kept if past is None else past.before(kept)
        mixed_NHTE = F.scaled_dot_product_attention(
            q_NHTE, k_NKSE, v_NKSE, attn_mask=seen_N1TS, enable_gqa=True
        )
        return self.o_proj(mixed_NHTE.transpose(1, 2).flatten(2)), kept

    def _heads(self, x_NTX: Tensor) -> Tensor:
        return x_NTX.unflatten(-1, (-1, self.size)).transpose(1, 2)


def _norm(shape: Shape) -> nn.Module:
    kind = nn.LayerNorm if shape.plain else nn.RMSNorm
    return kind(shape.width, shape.epsilon)


def turned(x_NHTE: Tensor, turn: Turn) -> Tensor:
    """Rotary position: turn the pairs (i, i + R/2) of the first R of each head."""
    half = turn.cos.shape[-1]
    first, second, rest = x_NHTE.split([half, half, x_NHTE.shape[-1] - 2 * half], -1)
    return torch.cat(
        [first * turn.cos - second * turn.sin, first * turn.sin + second * turn.cos, rest], -1
    )
