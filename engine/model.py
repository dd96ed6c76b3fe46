"""The default denoiser: one transformer stack, causal over context, bidirectional over canvases.

Context is clean text in two streams that share all weights: the *prefix*, read left to right, and
the *suffix*, read right to left, each in its own order of reading and each ending at the hole. A
token there sees only what was read before it, so its keys and values never change while text is
added at the hole's side: that is what makes `kv_cache.py` exact. A *canvas* is a row of slots that
see each other both ways, all of the prefix and all of the suffix.

Shape letters: B chunks (1 when serving), N canvases per chunk, C slots, T context tokens, D width,
H query heads, K key heads, G = H / K, E head size, V vocabulary.

Positions. A context token's position is its index in its own stream. A slot looks at the prefix
from where it stands, `prefix length + slot`, and at the suffix from the hole's edge, `suffix
length`: so no key depends on the length of the hole, and no distance betrays it.

Sources: causal context under a bidirectional canvas, DiffusionGemma; two directions with shared
weights, "Meet in the Middle", arXiv:2303.07295; QK-norm, arXiv:2010.04245; RoPE, arXiv:2104.09864;
SwiGLU, arXiv:2002.05202. Each embedding also takes a share of its neighbour's ("smear", from
modded-nanogpt), which lets a single layer look a token up by the one before it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.pointer import Pointer, mixed

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask


@dataclass(frozen=True, slots=True)
class DenoiserConfig:
    """Shape of the stack.

    hidden   the width inside the feed-forward layer
    pointer  may tokens be copied from the context (`engine/pointer.py`)?
    """

    vocabulary: int
    width: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 704
    rope_base: float = 10_000.0
    pointer: bool = False

    def __post_init__(self) -> None:
        sizes = (self.vocabulary, self.width, self.layers, self.heads, self.kv_heads, self.hidden)
        if min(sizes) < 1:
            raise ValueError(f"every size has to be at least 1: {self}")
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(f"width {self.width} does not split into {self.heads} even heads")
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads do not share {self.kv_heads} key heads evenly")


class KeysValues(NamedTuple):
    """One layer of one stream: keys, turned to their positions, and values; [B, K, T, E]."""

    keys_BKTE: Tensor
    values_BKTE: Tensor


Stream = list[KeysValues]
"""A context stream as the canvases see it: one entry per layer."""


class Sight(NamedTuple):
    """How much of each stream every canvas sees: its first so many tokens, int64 [B, N]."""

    prefix_BN: Tensor
    suffix_BN: Tensor


class Context(NamedTuple):
    """What canvases see besides themselves.

    prefix, suffix            the streams
    prefix_BT, suffix_BT      their tokens, int64; those out of sight may be anything
    sight                     how much of them each canvas sees
    """

    prefix: Stream
    suffix: Stream
    prefix_BT: Tensor
    suffix_BT: Tensor
    sight: Sight


class Turn(NamedTuple):
    """Cosines and sines [..., E/2] that turn a head to a position."""

    cos: Tensor
    sin: Tensor


class Scene(NamedTuple):
    """What is the same in all layers for a set of canvases.

    here    to where each slot stands, [B, N, C, 1, E/2]
    edge    to the hole's edge in the suffix, [B, N, 1, 1, E/2]
    hidden  bool [B, 1, N, 1, prefix + suffix + C], what a canvas does not see
    seen    the same for the fused kernel (`engine/fused.py`), where that is used
    """

    here: Turn
    edge: Turn
    hidden: Tensor
    seen: "BlockMask | None" = None


class Denoiser(nn.Module):
    """Predicts the clean token of every slot, given the context on both sides."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.role = nn.Parameter(torch.zeros(3, config.width))  # prefix, suffix, canvas
        self.smear = nn.Parameter(
            torch.zeros(4, config.width)
        )  # prefix, suffix, canvas left, right
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width)
        size = config.width // config.heads
        self.pointer = Pointer(config.width, config.kv_heads, size) if config.pointer else None
        self.apply(_initialise)

    def encode(
        self,
        tokens_BT: Tensor,
        directions_B: Tensor,
        before_B: Tensor | None = None,
        past: Stream | None = None,
    ) -> tuple[Tensor, Stream]:
        """Read context, each row in its own order of reading.

        tokens_BT     int64 ids
        directions_B  int64, 0 for a prefix, 1 for a suffix (its tokens given last one first)
        before_B      int64, the token read just before these; None at the start of a stream
        past          what earlier calls gave for the tokens before these; None at the start

        Returns hidden states [B, T, D] after the last norm, which predict the next token to be read
        (`logits`), and the keys and values of these tokens alone.
        """
        embedded_BTD = self.embedding(tokens_BT)
        start_BD = (
            torch.zeros_like(embedded_BTD[:, 0]) if before_B is None else self.embedding(before_B)
        )
        previous_BTD = torch.cat([start_BD[:, None], embedded_BTD[:, :-1]], 1)
        smear_B1D = self.smear[directions_B][:, None]
        role_B1D = self.role[directions_B][:, None]
        x_BTD = _normalise(embedded_BTD + smear_B1D * previous_BTD + role_B1D)
        start = past[0].keys_BKTE.shape[2] if past else 0
        positions_T = torch.arange(start, start + tokens_BT.shape[1], device=tokens_BT.device)
        turn = self._turn(positions_T[:, None])
        stream: Stream = []
        for index, block in enumerate(self._layers()):
            x_BTD, kept = block.read(x_BTD, turn, past[index] if past else None)
            stream.append(kept)
        return self.norm(x_BTD), stream

    def denoise(
        self, canvas_BNC: Tensor, before_BN: Tensor, context: Context, *, fused: bool = False
    ) -> Tensor:
        """Look at canvases in their context; returns hidden states [B, N, C, D].

        canvas_BNC  int64 ids, masked slots included
        before_BN   int64, the token just left of each canvas
        fused       attend in one kernel (`engine/fused.py`), made for many canvases
        """
        embedded_BNCD = self.embedding(canvas_BNC)
        before_BN1D = self.embedding(before_BN)[:, :, None]
        left_BNCD = torch.cat([before_BN1D, embedded_BNCD[:, :, :-1]], 2)
        right_BNCD = F.pad(embedded_BNCD[:, :, 1:], (0, 0, 0, 1))
        x_BNCD = embedded_BNCD + self.smear[2] * left_BNCD + self.smear[3] * right_BNCD
        x_BNCD = _normalise(x_BNCD + self.role[2])
        scene = self._scene(canvas_BNC.shape[2], context)
        if fused:
            scene = scene._replace(seen=_seen(canvas_BNC.shape[2], context))
        for block, near, far in zip(self._layers(), context.prefix, context.suffix, strict=True):
            x_BNCD = block.look(x_BNCD, near, far, scene)
        return self.norm(x_BNCD)

    def log_probs(self, hidden_BNCD: Tensor, context: Context, wanted_BNC: Tensor) -> Tensor:
        """Log-probabilities, float32 [P, V], of P wanted slots, row after row.

        `denoise` and this say what is served; `engine/inference.py` does the same faster.

        hidden_BNCD  what `denoise` gave for this context
        wanted_BNC   bool
        """
        hidden_PD = hidden_BNCD[wanted_BNC]
        logits_PV = self.logits(hidden_PD).float()
        if self.pointer is None:
            return torch.log_softmax(logits_PV, -1)
        scores_BNCS = self.canvas_scores(self.pointer, hidden_BNCD, context)
        tokens_BS = torch.cat([context.prefix_BT, context.suffix_BT], 1)
        tokens_PS = tokens_BS[:, None, None].expand_as(scores_BNCS)[wanted_BNC]
        scores_PS = scores_BNCS[wanted_BNC]
        odds_P = self.pointer.odds(hidden_PD, scores_PS)
        return mixed(logits_PV, scores_PS, tokens_PS, odds_P)

    def logits(self, hidden_XD: Tensor) -> Tensor:
        """Scores over the vocabulary alone, [..., V], from hidden states [..., D]."""
        return F.linear(hidden_XD, self.embedding.weight)

    def canvas_scores(self, pointer: Pointer, hidden_BNCD: Tensor, context: Context) -> Tensor:
        """What the pointer of each slot makes of each token of the context, float32 [B, N, C, S].

        S counts the tokens of both streams, the prefix first; minus infinity: out of sight.
        """
        queries = pointer.queries(hidden_BNCD)
        scene = self._scene(hidden_BNCD.shape[2], context)
        near, far = context.prefix[-1].keys_BKTE, context.suffix[-1].keys_BKTE
        parts = [
            _pointed(_turned(queries, scene.here), near),
            _pointed(_turned(queries, scene.edge), far),
        ]
        scores_BNCS = torch.cat(parts, -1).float()
        hidden_BN1S = scene.hidden[:, 0, ..., : scores_BNCS.shape[-1]]
        return scores_BNCS.masked_fill(hidden_BN1S, float("-inf"))

    def stream_scores(self, pointer: Pointer, hidden_BTD: Tensor, stream: Stream) -> Tensor:
        """What the pointer of each place makes of those read so far, float32 [B, T, T].

        hidden_BTD, stream  what `encode` gave for a stream read from its start
        """
        positions_T = torch.arange(hidden_BTD.shape[1], device=hidden_BTD.device)
        queries = _turned(pointer.queries(hidden_BTD), self._turn(positions_T[:, None]))
        scores_BTS = _pointed(queries[:, None], stream[-1].keys_BKTE)[:, 0].float()
        later_TS = positions_T > positions_T[:, None]
        return scores_BTS.masked_fill(later_TS, float("-inf"))

    def _layers(self) -> list["Block"]:
        return cast("list[Block]", list(self.blocks))

    def _scene(self, slots: int, context: Context) -> Scene:
        sight = context.sight
        slots_C = torch.arange(slots, device=sight.prefix_BN.device)
        prefix_T = torch.arange(context.prefix[0].keys_BKTE.shape[2], device=slots_C.device)
        suffix_T = torch.arange(context.suffix[0].keys_BKTE.shape[2], device=slots_C.device)
        prefix_BN1, suffix_BN1 = sight.prefix_BN[..., None], sight.suffix_BN[..., None]
        beyond = (
            prefix_T >= prefix_BN1,
            suffix_T >= suffix_BN1,
            (slots_C < 0).expand(*sight.prefix_BN.shape, -1),
        )
        return Scene(
            here=self._turn((prefix_BN1 + slots_C)[..., None]),
            edge=self._turn(suffix_BN1[..., None]),
            hidden=torch.cat(beyond, -1)[:, None, :, None],
        )

    def _turn(self, positions: Tensor) -> Turn:
        """For int64 positions [...]: cosines and sines [..., E/2], as precise as the weights."""
        half = self.config.width // self.config.heads // 2
        exponents = torch.arange(half, device=positions.device, dtype=torch.float32) / half
        angles = positions[..., None].float() * self.config.rope_base**-exponents
        dtype = self.embedding.weight.dtype
        return Turn(angles.cos().to(dtype), angles.sin().to(dtype))


class Block(nn.Module):
    """One layer: attention, then a gated feed-forward, both on normalised input."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads = config.heads, config.kv_heads
        self.size = config.width // config.heads
        self.qkv = nn.Linear(
            config.width, (config.heads + 2 * config.kv_heads) * self.size, bias=False
        )
        self.out = nn.Linear(config.width, config.width, bias=False)
        self.up = nn.Linear(config.width, 2 * config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)
        self.attention_norm = nn.RMSNorm(config.width)
        self.feed_norm = nn.RMSNorm(config.width)
        self.query_norm = nn.RMSNorm(self.size)
        self.key_norm = nn.RMSNorm(self.size)

    def read(self, x_BTD: Tensor, turn: Turn, past: KeysValues | None) -> tuple[Tensor, KeysValues]:
        """Causal attention over a stream. `past` holds the keys and values read before these."""
        q_BTHE, k_BTKE, v_BTKE = self._project(x_BTD)
        q_BHTE = _turned(q_BTHE, turn).transpose(1, 2)
        k_BKTE, v_BKTE = _turned(k_BTKE, turn).transpose(1, 2), v_BTKE.transpose(1, 2)
        kept = KeysValues(k_BKTE, v_BKTE)
        mask_TS = None
        if past is not None:
            k_BKTE = torch.cat([past.keys_BKTE, k_BKTE], 2)
            v_BKTE = torch.cat([past.values_BKTE, v_BKTE], 2)
            new, total = q_BHTE.shape[2], k_BKTE.shape[2]
            mask_TS = torch.ones(new, total, dtype=torch.bool, device=x_BTD.device)
            mask_TS = mask_TS.tril(total - new)
        mixed_BHTE = F.scaled_dot_product_attention(
            q_BHTE,
            k_BKTE,
            v_BKTE,
            attn_mask=mask_TS,
            is_causal=mask_TS is None,
            scale=1.0,
            enable_gqa=True,
        )
        return self._finish(x_BTD, mixed_BHTE.transpose(1, 2).flatten(2)), kept

    def look(self, x_BNCD: Tensor, near: KeysValues, far: KeysValues, scene: Scene) -> Tensor:
        """Bidirectional attention over each canvas and what it sees of both streams."""
        q_BNCHE, k_BNCKE, v_BNCKE = self._project(x_BNCD)
        here_BNCHE, edge_BNCHE = _turned(q_BNCHE, scene.here), _turned(q_BNCHE, scene.edge)
        k_BNCKE = _turned(k_BNCKE, scene.here)
        if scene.seen is not None:
            from engine.fused import attend  # slow to import, for training alone

            own = k_BNCKE, v_BNCKE
            return self._finish(x_BNCD, attend(here_BNCHE, edge_BNCHE, own, near, far, scene.seen))
        q_here, q_edge = self._by_key_head(here_BNCHE), self._by_key_head(edge_BNCHE)
        k_BKNCE = k_BNCKE.permute(0, 3, 1, 2, 4)
        parts = [
            _times_context(q_here, near.keys_BKTE.transpose(2, 3)),
            _times_context(q_edge, far.keys_BKTE.transpose(2, 3)),
            q_here @ k_BKNCE.transpose(-1, -2),
        ]
        scores = torch.cat(parts, -1).masked_fill(scene.hidden, float("-inf"))
        weights = torch.softmax(scores, -1).to(v_BNCKE.dtype)
        on_near, on_far, on_self = weights.split([part.shape[-1] for part in parts], -1)
        mixed_BKNXE = (
            _times_context(on_near, near.values_BKTE)
            + _times_context(on_far, far.values_BKTE)
            + on_self @ v_BNCKE.permute(0, 3, 1, 2, 4)
        )
        chunks, canvases, slots, _ = x_BNCD.shape
        mixed = mixed_BKNXE.view(chunks, self.kv_heads, canvases, slots, -1, self.size)
        return self._finish(x_BNCD, mixed.permute(0, 2, 3, 1, 4, 5).flatten(3))

    def _project(self, x_XD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries [..., H, E], keys and values [..., K, E].

        Queries and keys are normalised; queries are divided by the root of E, so that a product
        with a key is a score.
        """
        heads = self.qkv(self.attention_norm(x_XD)).unflatten(-1, (-1, self.size))
        q, k, v = heads.split([self.heads, self.kv_heads, self.kv_heads], -2)
        return self.query_norm(q) * self.size**-0.5, self.key_norm(k), v

    def _by_key_head(self, q_BNCHE: Tensor) -> Tensor:
        """Group queries under the key head they share: [B, K, N, C*G, E]."""
        grouped = torch.unflatten(q_BNCHE, 3, (self.kv_heads, -1))
        return grouped.permute(0, 3, 1, 2, 4, 5).flatten(3, 4)

    def _finish(self, x_XD: Tensor, mixed_XD: Tensor) -> Tensor:
        x_XD = x_XD + self.out(mixed_XD)
        gate, value = self.up(self.feed_norm(x_XD)).chunk(2, -1)
        return x_XD + self.down(F.silu(gate) * value)


def _seen(slots: int, context: Context) -> "BlockMask":
    from engine.fused import visible

    return visible(context.sight, (context.prefix_BT.shape[1], context.suffix_BT.shape[1]), slots)


def _times_context(left_BKNXY: Tensor, right_BKYZ: Tensor) -> Tensor:
    """Product [B, K, N, X, Z] of every canvas with what all canvases of a chunk share."""
    product = left_BKNXY.flatten(2, 3) @ right_BKYZ
    return product.unflatten(2, left_BKNXY.shape[2:4])


def _pointed(queries_BNCKE: Tensor, keys_BKTE: Tensor) -> Tensor:
    """Scores [B, N, C, T] of context tokens, the key heads added up."""
    keys_BXT = keys_BKTE.transpose(2, 3).flatten(1, 2)
    flat_BYX = queries_BNCKE.flatten(3).flatten(1, 2)
    return (flat_BYX @ keys_BXT).unflatten(1, queries_BNCKE.shape[1:3])


def _turned(x: Tensor, turn: Turn) -> Tensor:
    """Rotary position: turn the pairs (i, i + E/2) of the last axis."""
    cos, sin = turn.cos.to(x.dtype), turn.sin.to(x.dtype)
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)


def _normalise(x: Tensor) -> Tensor:
    return F.rms_norm(x, (x.shape[-1],))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=module.in_features**-0.5 * 0.7)
    if isinstance(module, Pointer):
        module.close()
    if isinstance(module, Block):  # each layer begins as the identity
        nn.init.zeros_(module.out.weight)
        nn.init.zeros_(module.down.weight)
