"""The stack of DiffusionGemma: causal over context, then both ways over a canvas on top of it.

One set of weights does both. Every sixth layer sees everything, the others a window; each layer has
a feed-forward part and experts side by side. A slot of the canvas may be any token: noise is drawn
from the whole vocabulary, there is no mask. What the last pass thought of each slot comes back as
the mean of the embeddings, weighed by the probabilities (self-conditioning).

Parameters are named as in a folder's "model.decoder.", but for experts; shape letters as in
`transformer.py`, C slots, P experts, A those of a token.

Source: DiffusionGemma and Gemma 4 as in transformers 5.13 and later (Apache-2.0).
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.families.exchange import Stacked
from engine.families.experts import Choice, FeedForward, mixed
from engine.families.past import KeysValues, Past, length
from engine.families.transformer import Turn, turned


@dataclass(frozen=True, slots=True)
class Heads:
    """Of one kind of layer.

    size, kv_heads  of a head, and how many of keys
    rope_base       of rotary positions
    turned          share of a head that they turn, its speeds as if it were all
    window          tokens in sight, itself included; None: all of them
    own_values      has it values of its own, or are they the keys before norm and turning?
    """

    size: int
    kv_heads: int
    rope_base: float
    turned: float
    window: int | None
    own_values: bool


@dataclass(frozen=True, slots=True)
class GemmaShape:
    """What a stack is made of. `kinds` has the heads of each layer, first to last."""

    vocabulary: int
    width: int
    heads: int
    hidden: int
    expert_hidden: int
    experts: int
    chosen: int
    epsilon: float
    softcap: float
    kinds: tuple[Heads, ...]


class Gemma(nn.Module):
    """Tokens in, keys and values (`encode`) or logits (`weigh`) out."""

    def __init__(self, shape: GemmaShape) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.norm = nn.RMSNorm(shape.width, shape.epsilon)
        self.self_conditioning = SelfConditioning(shape)
        self.layers = nn.ModuleList(Layer(shape, heads) for heads in shape.kinds)

    def encode(self, tokens_1T: Tensor, past: Past) -> Past:
        """Read context causally; keys and values of these tokens alone, after those of `past`."""
        start = length(past)
        places_T = torch.arange(start, start + tokens_1T.shape[1], device=tokens_1T.device)
        places_S = torch.arange(start + tokens_1T.shape[1], device=tokens_1T.device)
        x_1TD = self._embedded(tokens_1T)
        read: Past = []
        for index, layer in enumerate(self._layers()):
            apart_TS = places_T[:, None] - places_S
            window = layer.self_attn.heads.window or len(places_S)
            seen_TS = (apart_TS >= 0) & (apart_TS < window)
            before = past[index] if past else None
            x_1TD, kept = layer(x_1TD, places_T, seen_TS, before, layer.context_scalar)
            read.append(kept)
        return read

    def weigh(self, canvas_NC: Tensor, past: Past, thought_NCV: Tensor | None = None) -> Tensor:
        """Logits, float32 [N, C, V].

        thought_NCV  logits of the last pass over this canvas, as they were sampled from; None in
                     the first
        """
        start = length(past)
        places_C = torch.arange(start, start + canvas_NC.shape[1], device=canvas_NC.device)
        x_NCD = self._embedded(canvas_NC)
        soft_NCD = torch.zeros_like(x_NCD) if thought_NCV is None else self._softly(thought_NCV)
        x_NCD = self.self_conditioning(x_NCD, soft_NCD)
        for layer, read in zip(self._layers(), past, strict=True):
            window = layer.self_attn.heads.window
            near = 0 if window is None else max(start - window + 1, 0)
            x_NCD, _ = layer(x_NCD, places_C, None, read.within(near, start), layer.layer_scalar)
        logits_NCV = F.linear(self.norm(x_NCD), self.embed_tokens.weight).float()
        return (logits_NCV / self.shape.softcap).tanh() * self.shape.softcap

    def _layers(self) -> list["Layer"]:
        return cast("list[Layer]", list(self.layers))

    def _embedded(self, tokens_NT: Tensor) -> Tensor:
        x_NTD = self.embed_tokens(tokens_NT)
        return x_NTD * torch.tensor(self.shape.width**0.5, dtype=x_NTD.dtype)

    def _softly(self, thought_NCV: Tensor) -> Tensor:
        weight_VD = self.embed_tokens.weight
        soft_NCD = thought_NCV.float().softmax(-1).to(weight_VD.dtype) @ weight_VD
        return soft_NCD * torch.tensor(self.shape.width**0.5, dtype=weight_VD.dtype)


class Layer(nn.Module):
    """Attention, then feed-forward and experts side by side; normalised before and after."""

    def __init__(self, shape: GemmaShape, heads: Heads) -> None:
        super().__init__()
        self.self_attn = Attention(shape, heads)
        self.mlp = GeluFeedForward(shape.width, shape.hidden)
        self.router = Router(shape)
        self.experts = PackedExperts(shape)
        self.input_layernorm = nn.RMSNorm(shape.width, shape.epsilon)
        self.post_attention_layernorm = nn.RMSNorm(shape.width, shape.epsilon)
        self.pre_feedforward_layernorm = nn.RMSNorm(shape.width, shape.epsilon)
        self.post_feedforward_layernorm = nn.RMSNorm(shape.width, shape.epsilon)
        self.post_feedforward_layernorm_1 = nn.RMSNorm(shape.width, shape.epsilon)
        self.post_feedforward_layernorm_2 = nn.RMSNorm(shape.width, shape.epsilon)
        self.pre_feedforward_layernorm_2 = nn.RMSNorm(shape.width, shape.epsilon)
        self.layer_scalar = nn.Parameter(torch.ones(1))
        self.context_scalar = nn.Parameter(torch.ones(1))  # the encoder's `layer_scalar`

    def forward(
        self,
        x_NTD: Tensor,
        places_T: Tensor,
        seen_TS: Tensor | None,
        past: KeysValues | None,
        scalar: Tensor,
    ) -> tuple[Tensor, KeysValues]:
        mixed_NTD, kept = self.self_attn(self.input_layernorm(x_NTD), places_T, seen_TS, past)
        x_NTD = x_NTD + self.post_attention_layernorm(mixed_NTD)
        fed_NTD = self.mlp(self.pre_feedforward_layernorm(x_NTD))
        chosen = self.router(x_NTD.flatten(0, 1))
        mixed_XD = self.experts(self.pre_feedforward_layernorm_2(x_NTD).flatten(0, 1), chosen)
        both_NTD = self.post_feedforward_layernorm_1(fed_NTD)
        both_NTD = both_NTD + self.post_feedforward_layernorm_2(mixed_XD.view_as(x_NTD))
        return (x_NTD + self.post_feedforward_layernorm(both_NTD)) * scalar, kept


class Attention(nn.Module):
    """Queries, keys and values are normalised; scores are not divided."""

    def __init__(self, shape: GemmaShape, heads: Heads) -> None:
        super().__init__()
        self.heads, self.epsilon = heads, shape.epsilon
        keys = heads.kv_heads * heads.size
        self.q_proj = nn.Linear(shape.width, shape.heads * heads.size, bias=False)
        self.k_proj = nn.Linear(shape.width, keys, bias=False)
        self.v_proj = nn.Linear(shape.width, keys, bias=False) if heads.own_values else None
        self.o_proj = nn.Linear(shape.heads * heads.size, shape.width, bias=False)
        self.q_norm = nn.RMSNorm(heads.size, shape.epsilon)
        self.k_norm = nn.RMSNorm(heads.size, shape.epsilon)

    def forward(
        self, x_NTD: Tensor, places_T: Tensor, seen_TS: Tensor | None, past: KeysValues | None
    ) -> tuple[Tensor, KeysValues]:
        turn = self._turn(places_T, x_NTD.dtype)
        q_NHTE = turned(self.q_norm(self._heads(self.q_proj(x_NTD))), turn)
        plain_NKTE = self._heads(self.k_proj(x_NTD))
        v_NKTE = plain_NKTE if self.v_proj is None else self._heads(self.v_proj(x_NTD))
        v_NKTE = F.rms_norm(v_NKTE, (self.heads.size,), eps=self.epsilon)
        kept = KeysValues(turned(self.k_norm(plain_NKTE), turn), v_NKTE)
        k_NKSE, v_NKSE = kept if past is None else past.before(kept)
        mixed_NHTE = F.scaled_dot_product_attention(
            q_NHTE, k_NKSE, v_NKSE, attn_mask=seen_TS, scale=1.0, enable_gqa=True
        )
        return self.o_proj(mixed_NHTE.transpose(1, 2).flatten(2)), kept

    def _heads(self, x_NTX: Tensor) -> Tensor:
        return x_NTX.unflatten(-1, (-1, self.heads.size)).transpose(1, 2)

    def _turn(self, places_T: Tensor, dtype: torch.dtype) -> Turn:
        """All pairs of a head turn, those beyond the share of it at speed 0."""
        size = self.heads.size
        pairs = torch.arange(size // 2, device=places_T.device)
        speeds = self.heads.rope_base ** (-2.0 * pairs / size)
        speeds = speeds.masked_fill(pairs >= int(self.heads.turned * size // 2), 0.0)
        angles = places_T[None, None, :, None].float() * speeds
        return Turn(angles.cos().to(dtype), angles.sin().to(dtype))


class GeluFeedForward(FeedForward):
    """down(gelu(gate(x)) * up(x)), with the gelu that is approximated by tanh."""

    def forward(self, x_XD: Tensor) -> Tensor:
        gate = F.gelu(self.gate_proj(x_XD), approximate="tanh")
        return self.down_proj(gate * self.up_proj(x_XD))


class SelfConditioning(GeluFeedForward):
    """Adds what was thought of a slot to what stands there."""

    def __init__(self, shape: GemmaShape) -> None:
        super().__init__(shape.width, shape.hidden)
        self.pre_norm = nn.RMSNorm(shape.width, shape.epsilon)

    def forward(self, x_NCD: Tensor, soft_NCD: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        both_NCD = x_NCD + super().forward(self.pre_norm(soft_NCD))
        return F.rms_norm(both_NCD, (both_NCD.shape[-1],), eps=self.pre_norm.eps)


class Exact(nn.Linear):
    """Never in 8 bits: a near tie of experts would be decided otherwise."""


class Router(nn.Module):
    """Chooses the best experts, which have a scale each for their weights."""

    def __init__(self, shape: GemmaShape) -> None:
        super().__init__()
        self.chosen, self.epsilon = shape.chosen, shape.epsilon
        self.proj = Exact(shape.width, shape.experts, bias=False)
        self.scale = nn.Parameter(torch.ones(shape.width))
        self.per_expert_scale = nn.Parameter(torch.ones(shape.experts))

    def forward(self, x_XD: Tensor) -> Choice:
        width = x_XD.shape[-1]
        normed_XD = F.rms_norm(x_XD, (width,), eps=self.epsilon) * self.scale * width**-0.5
        best = self.proj(normed_XD).float().softmax(-1).topk(self.chosen, -1)
        weights_XA = best.values / best.values.sum(-1, keepdim=True)
        return Choice(best.indices, weights_XA * self.per_expert_scale[best.indices])


class PackedExperts(nn.Module):
    """All experts in two tensors."""

    def __init__(self, shape: GemmaShape) -> None:
        super().__init__()
        hidden, width = shape.expert_hidden, shape.width
        self.gate_up_proj = Stacked(shape.experts, 2 * hidden, width)
        self.down_proj = Stacked(shape.experts, width, hidden)

    def forward(self, x_XD: Tensor, choice: Choice) -> Tensor:
        return mixed(x_XD, choice, self._expert)

    def _expert(self, index: int, x_RD: Tensor) -> Tensor:
        gate, up = self.gate_up_proj(x_RD, index).chunk(2, -1)
        return self.down_proj(F.gelu(gate, approximate="tanh") * up, index)
