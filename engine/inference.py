"""The denoiser's pass over canvases as it is served: what `model.py` says, in fewer operations.

Most of a small pass on a processor is not its matrix products but the hundreds of small operations
around them. Here the scales of the norms are folded into the matrices behind them, queries and keys
turn together, positions count from the hole, nothing is masked because nothing out of sight is
read, and sums are in float32, which is also nearer to the truth than the plain pass in bfloat16.

Canvases of several contexts go through the matrices together; attention and the pointer alone go
context by context, so nothing is padded (selective batching: Orca, OSDI 2022).

Shape letters as in `engine/model.py`; X all slots of a pass, J = H + K heads that turn, Y = C * G,
S context tokens in sight, the prefix first, U the different ones among them, P wanted slots.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.kv_cache import Read
from engine.model import Block, Denoiser
from engine.pointer import Pointer


class Bound(NamedTuple):
    """A context as canvases see it: a copy, which holds whatever becomes of the cache.

    near_LKES, far_LKES  float32 keys of prefix and suffix, turned as if the hole were at 0
    values_LKSE          float32, of both
    tokens_U, place_S    the different tokens in sight, int64, and which of them each one is
    before               the token left of the canvas, int64 [1]
    """

    near_LKES: Tensor
    far_LKES: Tensor
    values_LKSE: Tensor
    tokens_U: Tensor
    place_S: Tensor
    before: Tensor


class Glance(NamedTuple):
    """Canvases of one context, and which of their slots (bool) are wanted."""

    bound: Bound
    tokens_NC: Tensor
    wanted_NC: Tensor


class _Turn(NamedTuple):
    """Cosines and signed sines, float32 [..., E], that turn heads to positions."""

    cos: Tensor
    sin: Tensor

    def of(self, heads: Tensor) -> Tensor:
        """Rotary position: turns the pairs (i, i + E/2) of the last axis."""
        return (heads * self.cos).addcmul_(heads.roll(heads.shape[-1] // 2, -1), self.sin)

    def at(self, index: Tensor) -> "_Turn":
        return _Turn(self.cos[index], self.sin[index])


class _Layer(NamedTuple):
    """A block's matrices, the scale of the norm before each folded in, and the heads' scales."""

    qkv: Tensor
    out: Tensor
    up: Tensor
    down: Tensor
    scale_JE: Tensor

    @classmethod
    def of(cls, block: Block) -> Self:
        # queries are divided by the root of E, and `_normalised` leaves the root of E out
        queries_HE = block.query_norm.weight.float().expand(block.heads, -1)
        keys_KE = block.key_norm.weight.float().expand(block.kv_heads, -1) * block.size**0.5
        return cls(
            qkv=_folded(block.qkv.weight, block.attention_norm.weight),
            out=block.out.weight,
            up=_folded(block.up.weight, block.feed_norm.weight),
            down=block.down.weight,
            scale_JE=torch.cat([queries_HE, keys_KE]),
        )


class Inference:
    """A trained denoiser, where and in the precision it runs. Its weights must not change."""

    @torch.inference_mode()
    def __init__(self, model: Denoiser) -> None:
        config, weight = model.config, model.embedding.weight
        self._model, self._dtype, self._device = model, weight.dtype, weight.device
        self._heads, self._kv_heads = config.heads, config.kv_heads
        self._size = config.width // config.heads
        self._layers = [_Layer.of(cast("Block", block)) for block in model.blocks]
        self._smear, self._role = model.smear.float(), model.role.float()

    @torch.inference_mode()
    def bind(self, prefix: Read, suffix: Read, before: int) -> Bound:
        """What canvases between a prefix, whose last token is `before`, and a suffix see."""
        near_LKSE, near_values_LKSE = self._in_sight(prefix)
        far_LKSE, far_values_LKSE = self._in_sight(suffix)
        tokens_S = torch.cat([read.tokens_BT[0, : read.length] for read in (prefix, suffix)])
        tokens_U, place_S = tokens_S.unique(return_inverse=True)
        return Bound(
            near_LKES=near_LKSE.transpose(2, 3).contiguous(),
            far_LKES=far_LKSE.transpose(2, 3).contiguous(),
            values_LKSE=torch.cat([near_values_LKSE, far_values_LKSE], 2),
            tokens_U=tokens_U,
            place_S=place_S,
            before=torch.tensor([before], device=self._device),
        )

    @torch.inference_mode()
    def look(self, glances: Sequence[Glance]) -> list[Tensor]:
        """Log-probabilities of the wanted slots, float32 [P, V] for each glance, row after row."""
        x_XD = torch.cat([self._embedded(bound, tokens_NC) for bound, tokens_NC, _ in glances])
        shapes = [glance.tokens_NC.shape for glance in glances]
        places_X1 = torch.cat([torch.arange(slots).repeat(rows) for rows, slots in shapes])[:, None]
        turn = self._turn(places_X1.to(self._device))
        for index in range(len(self._layers)):
            x_XD = self._block(index, x_XD, turn, glances)
        wanted_X = torch.cat([glance.wanted_NC.flatten() for glance in glances])
        norm = self._model.norm
        hidden_PD = F.rms_norm(x_XD[wanted_X], norm.normalized_shape, norm.weight.float())
        return self._log_probs(hidden_PD.to(self._dtype), turn.at(wanted_X), glances)

    def _embedded(self, bound: Bound, tokens_NC: Tensor) -> Tensor:
        """The slots of canvases as the first layer sees them, float32 [X, D]."""
        seen_NT = torch.cat([bound.before.expand(len(tokens_NC), 1), tokens_NC], 1)
        seen_NTD = F.embedding(seen_NT, self._model.embedding.weight).float()
        x_NCD = torch.addcmul(seen_NTD[:, 1:], self._smear[2], seen_NTD[:, :-1])
        x_NCD[:, :-1].addcmul_(self._smear[3], seen_NTD[:, 2:])
        x_XD = (x_NCD + self._role[2]).flatten(0, 1)
        return F.rms_norm(x_XD, x_XD.shape[1:])

    def _block(self, index: int, x_XD: Tensor, turn: _Turn, glances: Sequence[Glance]) -> Tensor:
        """All slots through one layer."""
        layer = self._layers[index]
        heads = F.linear(_normalised(x_XD).to(self._dtype), layer.qkv).float()
        heads_XJE, values_XKE = heads.unflatten(-1, (-1, self._size)).split(
            [self._heads + self._kv_heads, self._kv_heads], 1
        )
        heads_XJE = _normalised(heads_XJE) * layer.scale_JE
        counts = [glance.tokens_NC.numel() for glance in glances]
        parts = [part.split(counts) for part in (heads_XJE, turn.of(heads_XJE), values_XKE)]
        mixed_XD = torch.cat(
            [self._attend(index, *own) for own in zip(glances, *parts, strict=True)]
        )
        x_XD = x_XD + F.linear(mixed_XD.to(self._dtype), layer.out)
        gate, value = F.linear(_normalised(x_XD).to(self._dtype), layer.up).chunk(2, -1)
        return x_XD + F.linear(F.silu(gate) * value, layer.down)

    def _attend(
        self, index: int, glance: Glance, edge_XJE: Tensor, here_XJE: Tensor, values_XKE: Tensor
    ) -> Tensor:
        """Attention of one context's canvases, float32 [X, D].

        edge_XJE  heads at the hole's edge, from where slots look at the suffix
        here_XJE  heads where their slots stand, from where they look at all else
        """
        bound, shape = glance.bound, glance.tokens_NC.shape
        here_KNYE, edge_KNYE = self._queries(here_XJE, shape), self._queries(edge_XJE, shape)
        keys_KNEC = here_XJE[:, self._heads :].unflatten(0, shape).permute(2, 0, 3, 1)
        scores = [
            here_KNYE.flatten(1, 2) @ bound.near_LKES[index],
            edge_KNYE.flatten(1, 2) @ bound.far_LKES[index],
            (here_KNYE @ keys_KNEC).flatten(1, 2),
        ]
        weights = torch.softmax(torch.cat(scores, -1), -1)
        on_context, on_canvas = weights.split([len(bound.place_S), shape[1]], -1)
        mixed_KNYE = on_canvas.unflatten(1, here_KNYE.shape[1:3]) @ values_XKE.unflatten(
            0, shape
        ).permute(2, 0, 1, 3)
        mixed_KNYE += (on_context @ bound.values_LKSE[index]).view_as(mixed_KNYE)
        mixed = mixed_KNYE.unflatten(2, (shape[1], -1)).permute(1, 2, 0, 3, 4)
        return mixed.reshape(len(here_XJE), -1)

    def _queries(self, heads_XJE: Tensor, shape: torch.Size) -> Tensor:
        """The queries among heads, [K, N, Y, E], grouped under the key head they share."""
        grouped = heads_XJE[:, : self._heads].unflatten(1, (self._kv_heads, -1))
        return grouped.unflatten(0, shape).permute(2, 0, 1, 3, 4).flatten(2, 3)

    def _log_probs(self, hidden_PD: Tensor, turn: _Turn, glances: Sequence[Glance]) -> list[Tensor]:
        log_probs_PV = torch.log_softmax(self._model.logits(hidden_PD).float(), -1)
        counts = [int(glance.wanted_NC.sum()) for glance in glances]
        pointer = self._model.pointer
        if pointer is None:
            return list(log_probs_PV.split(counts))
        edge_PKE = pointer.queries(hidden_PD).float()
        here_PX, edge_PX = turn.of(edge_PKE).flatten(1), edge_PKE.flatten(1)
        parts = [part.split(counts) for part in (hidden_PD, here_PX, edge_PX, log_probs_PV)]
        for glance, *own in zip(glances, *parts, strict=True):
            _point(pointer, glance.bound, *own)
        return list(parts[-1])

    def _in_sight(self, read: Read) -> tuple[Tensor, Tensor]:
        """Keys, turned as if the hole were at 0, and values of a stream, float32 [L, K, T, E]."""
        keys, values = zip(*read.stream, strict=True)
        keys_LKTE = torch.cat(keys)[:, :, : read.length].float()
        values_LKTE = torch.cat(values)[:, :, : read.length].float()
        back = self._turn(torch.tensor(-read.length, device=self._device))
        return back.of(keys_LKTE), values_LKTE

    def _turn(self, positions: Tensor) -> _Turn:
        """For int64 positions [...]."""
        half = self._size // 2
        exponents = torch.arange(half, device=self._device) / half
        angles = positions[..., None] * self._model.config.rope_base**-exponents
        cos, sin = angles.cos(), angles.sin()
        return _Turn(torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1))


def _point(
    pointer: Pointer,
    bound: Bound,
    hidden_PD: Tensor,
    here_PX: Tensor,
    edge_PX: Tensor,
    log_probs_PV: Tensor,
) -> None:
    """Mix what the pointer would copy into the vocabulary's log-probabilities, in place.

    here_PX, edge_PX  its queries, the key heads side by side
    """
    near_XS, far_XS = bound.near_LKES[-1].flatten(0, 1), bound.far_LKES[-1].flatten(0, 1)
    scores_PS = torch.cat([here_PX @ near_XS, edge_PX @ far_XS], -1)
    odds_P1 = pointer.odds(hidden_PD, scores_PS)[:, None]
    copied_PS = torch.softmax(scores_PS, -1) * odds_P1.sigmoid()
    copied_PU = copied_PS.new_zeros(len(copied_PS), len(bound.tokens_U))
    copied_PU.index_add_(1, bound.place_S, copied_PS)
    log_probs_PV += F.logsigmoid(-odds_P1)
    said_PU = log_probs_PV[:, bound.tokens_U]
    log_probs_PV[:, bound.tokens_U] = torch.logaddexp(said_PU, copied_PU.log())


def _folded(weight: Tensor, scale: Tensor) -> Tensor:
    """A matrix that makes of what `_normalised` gives what it made of what an RMSNorm gave."""
    return (weight.float() * scale.float() * len(scale) ** 0.5).to(weight.dtype)


def _normalised(x: Tensor) -> Tensor:
    """Of length 1: what an RMSNorm gives, less its scale and the root of the width."""
    return F.normalize(x, dim=-1)
