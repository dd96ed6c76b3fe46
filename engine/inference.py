"""The denoiser as it is served: what `model.py` says, in fewer operations.

Most of a small pass on a processor is not its matrix products but the hundreds of small operations
around them. Here the scales of the norms are folded into the matrices behind them, heads lie one
behind the other as attention takes them, queries and keys turn together, positions count from the
hole, nothing is masked because nothing out of sight is read, and sums are in float32, which is also
nearer to the truth than the plain pass in bfloat16.

Canvases of several contexts go through the matrices together; attention and the pointer alone go
context by context, so nothing is padded (selective batching: Orca, OSDI 2022).

Shape letters as in `engine/model.py`; X all slots of a pass or all tokens that are read, J = H + K
heads that turn, Z = J + K, Y = G * X of one context, S context tokens in sight, the prefix first, U
the different ones among them, P wanted slots, R these and their padding.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.kv_cache import Kept, Read
from engine.matrix import Product, product_with
from engine.model import Block, Denoiser
from engine.pointer import Pointer

_ROWS = 8
"""Wanted slots are padded to multiples of so many: oneDNN compiles a kernel for each number of rows
that it meets, and keeps it. An engine that met them all took 319 MB so, and 451 without."""


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
        """Those of some places, for heads that lie place by place."""
        return _Turn(self.cos[index][:, None], self.sin[index][:, None])


class _Layer(NamedTuple):
    """A block's matrices, the scale of the norm before each folded in, and the heads' scales."""

    qkv: Product
    out: Product
    up: Product
    down: Product
    scale_J1E: Tensor

    @classmethod
    def of(cls, block: Block) -> Self:
        # queries are divided by the root of E, and `_normalised` leaves the root of E out
        queries_HE = block.query_norm.weight.float().expand(block.heads, -1)
        keys_KE = block.key_norm.weight.float().expand(block.kv_heads, -1) * block.size**0.5
        return cls(
            qkv=product_with(_folded(block.qkv.weight, block.attention_norm.weight)),
            out=product_with(block.out.weight),
            up=product_with(_folded(block.up.weight, block.feed_norm.weight)),
            down=product_with(block.down.weight),
            scale_J1E=torch.cat([queries_HE, keys_KE])[:, None],
        )


class _Pointing(NamedTuple):
    """A pointer's queries and gate in one product, the gate's bias, the scale of the queries."""

    product: Product
    bias: float
    scale_E: Tensor

    @classmethod
    def of(cls, pointer: Pointer) -> Self:
        rows = torch.cat([pointer.query.weight, pointer.gate.weight])
        return cls(product_with(rows), float(pointer.gate.bias), pointer.query_norm.weight.float())


class Inference:
    """A trained denoiser, where and in the precision it runs. Its weights must not change."""

    @torch.inference_mode()
    def __init__(self, model: Denoiser) -> None:
        self.config = config = model.config
        self.weight = model.embedding.weight
        self._dtype, self._device = self.weight.dtype, self.weight.device
        self._heads, self._kv_heads = config.heads, config.kv_heads
        self._size, self._rope_base = config.width // config.heads, config.rope_base
        self._vocabulary = product_with(self.weight)
        self._layers = [_Layer.of(cast("Block", block)) for block in model.blocks]
        self._smear, self._role = model.smear.float(), model.role.float()
        self._root = config.width**0.5
        self._last_scale_D = model.norm.weight.float() * self._root
        self._pointing = model.pointer and _Pointing.of(model.pointer)

    @torch.inference_mode()
    def read(self, tokens: list[int], direction: int, before: int | None, kept: Kept) -> None:
        """Read context on: as `Denoiser.encode`, into the last places of `kept`.

        The last layer ends with its keys and values: what it makes of them is for nobody.
        """
        x_XD, turn = self._begun(tokens, direction, before, kept)
        for index in range(len(self._layers) - 1):
            self._read_through(index, x_XD, turn, kept)
        self._kept(-1, x_XD, turn, kept)

    @torch.inference_mode()
    def predict(self, tokens: list[int], direction: int, before: int | None, kept: Kept) -> Tensor:
        """Read on, and score the vocabulary alone for the token behind the last: [V]."""
        x_XD, turn = self._begun(tokens, direction, before, kept)
        for index in range(len(self._layers)):
            self._read_through(index, x_XD, turn, kept)
        return self._vocabulary(self._ended(x_XD[-1:]))[0]

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
        x_XD = _joined([self._embedded(bound, tokens_NC) for bound, tokens_NC, _ in glances], 0)
        shapes = [glance.tokens_NC.shape for glance in glances]
        places = [torch.arange(slots, device=self._device).repeat(rows) for rows, slots in shapes]
        turn = self._turn(_joined(places, 0))
        for index in range(len(self._layers)):
            self._block(index, x_XD, turn, glances)
        wanted_P = _joined([glance.wanted_NC.flatten() for glance in glances], 0).nonzero()[:, 0]
        padded = F.pad(wanted_P, (0, -len(wanted_P) % _ROWS))
        return self._log_probs(self._ended(x_XD[padded]), turn.at(wanted_P), glances)

    def _begun(
        self, tokens: list[int], direction: int, before: int | None, kept: Kept
    ) -> tuple[Tensor, _Turn]:
        """Context as the first layer sees it, float32 [X, D], and how its heads turn."""
        seen_X = torch.tensor([0 if before is None else before, *tokens], device=self._device)
        seen_XD = F.embedding(seen_X, self.weight).float()
        if before is None:
            seen_XD[0] = 0
        x_XD = torch.addcmul(seen_XD[1:], self._smear[direction], seen_XD[:-1])
        end = kept.keys_LKTE.shape[2]
        turn = self._turn(torch.arange(end - len(tokens), end, device=self._device))
        return _normalised(x_XD.add_(self._role[direction])).mul_(self._root), turn

    def _read_through(self, index: int, x_XD: Tensor, turn: _Turn, kept: Kept) -> None:
        """Add to all tokens what one layer makes of them and of what was read before."""
        queries_HXE = self._kept(index, x_XD, turn, kept).to(self._dtype)
        keys_KTE, values_KTE = kept.keys_LKTE[index], kept.values_LKTE[index]
        new, end = len(x_XD), keys_KTE.shape[1]
        seen_XT = torch.ones(new, end, dtype=torch.bool, device=self._device).tril_(end - new)
        mixed_HXE = F.scaled_dot_product_attention(
            queries_HXE[None],
            keys_KTE[None],
            values_KTE[None],
            attn_mask=None if new == end else seen_XT,
            is_causal=new == end,
            scale=1.0,
            enable_gqa=True,
        )[0]
        self._mix_in(index, x_XD, mixed_HXE)

    def _kept(self, index: int, x_XD: Tensor, turn: _Turn, kept: Kept) -> Tensor:
        """Put a layer's keys and values in their places; its queries, float32 [H, X, E]."""
        heads_JXE, values_KXE = self._headed(index, x_XD)
        queries_HXE, keys_KXE = turn.of(heads_JXE).tensor_split([self._heads])
        kept.keys_LKTE[index, :, -len(x_XD) :] = keys_KXE
        kept.values_LKTE[index, :, -len(x_XD) :] = values_KXE
        return queries_HXE

    def _embedded(self, bound: Bound, tokens_NC: Tensor) -> Tensor:
        """The slots of canvases as the first layer sees them, float32 [X, D]."""
        seen_NT = torch.cat([bound.before.expand(len(tokens_NC), 1), tokens_NC], 1)
        seen_NTD = F.embedding(seen_NT, self.weight).float()
        x_NCD = torch.addcmul(seen_NTD[:, 1:], self._smear[2], seen_NTD[:, :-1])
        x_NCD[:, :-1].addcmul_(self._smear[3], seen_NTD[:, 2:])
        return _normalised(x_NCD.flatten(0, 1).add_(self._role[2])).mul_(self._root)

    def _block(self, index: int, x_XD: Tensor, turn: _Turn, glances: Sequence[Glance]) -> None:
        """Add to all slots what one layer makes of them."""
        edge_JXE, values_KXE = self._headed(index, x_XD)
        counts = [glance.tokens_NC.numel() for glance in glances]
        parts = [part.split(counts, 1) for part in (edge_JXE, turn.of(edge_JXE), values_KXE)]
        mixed = [self._attend(index, *own) for own in zip(glances, *parts, strict=True)]
        self._mix_in(index, x_XD, _joined(mixed, 1))

    def _headed(self, index: int, x_XD: Tensor) -> tuple[Tensor, Tensor]:
        """A layer's queries and keys, not turned yet, [J, X, E], and values, [K, X, E], float32."""
        layer, turning = self._layers[index], self._heads + self._kv_heads
        projected = layer.qkv(_normalised(x_XD).to(self._dtype)).view(len(x_XD), -1, self._size)
        heads_ZXE = _copied(projected.transpose(0, 1), torch.float32)
        return _normalised(heads_ZXE[:turning]).mul_(layer.scale_J1E), heads_ZXE[turning:]

    def _mix_in(self, index: int, x_XD: Tensor, mixed_HXE: Tensor) -> None:
        """Add what attention gave, and then what the feed-forward layer makes of it."""
        layer = self._layers[index]
        mixed_XHE = _copied(mixed_HXE.transpose(0, 1), self._dtype)
        x_XD += layer.out(mixed_XHE.view(x_XD.shape))
        gate, value = layer.up(_normalised(x_XD).to(self._dtype)).chunk(2, -1)
        x_XD += layer.down(F.silu(gate).mul_(value))

    def _attend(
        self, index: int, glance: Glance, edge_JXE: Tensor, here_JXE: Tensor, values_KXE: Tensor
    ) -> Tensor:
        """Attention of one context's canvases, float32 [H, X, E].

        edge_JXE  heads at the hole's edge, from where slots look at the suffix
        here_JXE  heads where their slots stand, from where they look at all else
        """
        bound, shape = glance.bound, glance.tokens_NC.shape
        here_HXE, keys_KXE = here_JXE.tensor_split([self._heads])
        here_KYE = here_HXE.reshape(self._kv_heads, -1, self._size)
        edge_KYE = edge_JXE[: self._heads].reshape(here_KYE.shape)
        keys, values = self._by_canvas(keys_KXE, shape), self._by_canvas(values_KXE, shape)
        on_near = torch.bmm(here_KYE, bound.near_LKES[index])
        on_far = torch.bmm(edge_KYE, bound.far_LKES[index])
        on_canvas = torch.bmm(here_HXE.reshape(keys.shape), keys.transpose(1, 2))
        scores = torch.cat([on_near, on_far, on_canvas.view(*here_KYE.shape[:2], -1)], -1)
        context, canvas = torch.softmax(scores, -1).tensor_split([len(bound.place_S)], -1)
        mixed_KYE = torch.bmm(context, bound.values_LKSE[index])
        mixed = torch.baddbmm(mixed_KYE.view(keys.shape), canvas.reshape(on_canvas.shape), values)
        return mixed.view(here_HXE.shape)

    def _by_canvas(self, heads_KXE: Tensor, shape: torch.Size) -> Tensor:
        """What slots show of themselves, [H * N, C, E], once for each head that looks at it."""
        shown = heads_KXE.reshape(self._kv_heads, 1, -1, self._size)
        shared = shown.expand(-1, self._heads // self._kv_heads, -1, -1)
        return shared.reshape(-1, shape[1], self._size)

    def _ended(self, x_XD: Tensor) -> Tensor:
        """What the last layer gave as the vocabulary is multiplied with."""
        return (_normalised(x_XD) * self._last_scale_D).to(self._dtype)

    def _log_probs(self, hidden_RD: Tensor, turn: _Turn, glances: Sequence[Glance]) -> list[Tensor]:
        """As `look` gives them, from the wanted slots and what they were padded with."""
        counts = [int(glance.wanted_NC.sum()) for glance in glances]
        wanted = sum(counts)
        log_probs_PV = torch.log_softmax(self._vocabulary(hidden_RD)[:wanted].float(), -1)
        pointing = self._pointing
        if pointing is None:
            return list(log_probs_PV.split(counts))
        asked = pointing.product(hidden_RD)[:wanted].float()
        gate_P1 = asked[:, -1:] + pointing.bias
        edge_PKE = _normalised(asked[:, :-1].unflatten(1, (-1, self._size))) * pointing.scale_E
        here_PX, edge_PX = turn.of(edge_PKE).flatten(1), edge_PKE.flatten(1)
        parts = [part.split(counts) for part in (gate_P1, here_PX, edge_PX, log_probs_PV)]
        for glance, *own in zip(glances, *parts, strict=True):
            _point(glance.bound, *own)
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
        angles = positions[..., None] * self._rope_base**-exponents
        cos, sin = angles.cos(), angles.sin()
        return _Turn(torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1))


def _point(
    bound: Bound, gate_P1: Tensor, here_PX: Tensor, edge_PX: Tensor, log_probs_PV: Tensor
) -> None:
    """Mix what the pointer would copy into the vocabulary's log-probabilities, in place.

    here_PX, edge_PX  its queries, the key heads side by side
    """
    near_XS, far_XS = bound.near_LKES[-1].flatten(0, 1), bound.far_LKES[-1].flatten(0, 1)
    scores_PS = torch.cat([torch.mm(here_PX, near_XS), torch.mm(edge_PX, far_XS)], -1)
    total_P1 = torch.logsumexp(scores_PS, -1, keepdim=True)
    odds_P1 = gate_P1 + total_P1
    copied_PS = (scores_PS + (F.logsigmoid(odds_P1) - total_P1)).exp_()
    copied_PU = copied_PS.new_zeros(len(copied_PS), len(bound.tokens_U))
    copied_PU.index_add_(1, bound.place_S, copied_PS)
    log_probs_PV += F.logsigmoid(-odds_P1)
    said_PU = log_probs_PV.index_select(1, bound.tokens_U)
    log_probs_PV.index_copy_(1, bound.tokens_U, torch.logaddexp(said_PU, copied_PU.log_()))


def _folded(weight: Tensor, scale: Tensor) -> Tensor:
    """A matrix that makes of what `_normalised` gives what it made of what an RMSNorm gave."""
    return (weight.float() * scale.float() * len(scale) ** 0.5).to(weight.dtype)


def _normalised(x: Tensor) -> Tensor:
    """Of length 1: what an RMSNorm gives, less its scale and the root of the width."""
    return x / torch.linalg.vector_norm(x, dim=-1, keepdim=True)


def _copied(x: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy that lies as its shape says."""
    return x.new_empty(x.shape, dtype=dtype).copy_(x)


def _joined(parts: Sequence[Tensor], axis: int) -> Tensor:
    """The parts side by side; the part where there is one, as there mostly is."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), axis)
