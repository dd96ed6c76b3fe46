"""Keys and values of context that was read before, exact and reused from request to request.

A stream is causal in its own order of reading, so what two requests read in common from the start
has the same keys and values in both. At a keystroke that leaves a few new tokens at the cursor.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from engine.model import Context, DenoiserConfig, KeysValues, Sight, Stream
from engine.segments import in_common
from engine.tokenizer import MASK

PREFIX, SUFFIX = 0, 1

LIMIT_BYTES = 32 * 2**20
"""Kept in all: prefix and suffix of the last places the user worked at."""

_STRIDE, _READ_STRIDE = 64, 16
"""Streams are handed out, and read, in multiples of so many tokens: oneDNN compiles a kernel for
every shape it meets. With a shape for every length the engine grew by 10 MB a request."""


class Kept(NamedTuple):
    """Keys, turned to their positions, and values of a stream from its start on."""

    keys_LKTE: Tensor
    values_LKTE: Tensor


class Reader(Protocol):
    """A denoiser that reads context: `engine.inference.Inference`."""

    @property
    def config(self) -> DenoiserConfig: ...

    @property
    def weight(self) -> Tensor:
        """One that is where keys and values are to be, and as precise."""
        ...

    def read(self, tokens: list[int], direction: int, before: int | None, kept: Kept) -> None:
        """Put keys and values of the tokens into the last places of `kept`.

        before  the token read just before them; None at the start of a stream
        """
        ...


class Read(NamedTuple):
    """A stream, its tokens [1, T], how many are real (the rest is padding), how many were read."""

    stream: Stream
    tokens_BT: Tensor
    length: int
    encoded: int


def context_of(prefix: Read, suffix: Read, canvases: int) -> Context:
    """Both streams, all of them in sight of so many canvases."""
    shape, device = (1, canvases), prefix.tokens_BT.device
    sight = Sight(
        torch.full(shape, prefix.length, device=device),
        torch.full(shape, suffix.length, device=device),
    )
    return Context(prefix.stream, suffix.stream, prefix.tokens_BT, suffix.tokens_BT, sight)


@dataclass(slots=True)
class _Segment:
    """One cached stream: token i of `tokens` has its keys and values at place i of each T axis."""

    direction: int
    tokens: list[int]
    keys_LKTE: Tensor
    values_LKTE: Tensor

    @property
    def size_bytes(self) -> int:
        return self.keys_LKTE.nbytes + self.values_LKTE.nbytes

    def stream(self, length: int) -> Stream:
        """Views of the first `length` tokens, one pair per layer."""
        return [
            KeysValues(keys[None, :, :length], values[None, :, :length])
            for keys, values in zip(self.keys_LKTE, self.values_LKTE, strict=True)
        ]


class ContextCache:
    """Has streams read, and remembers them.

    capacity     tokens in the longest stream
    limit_bytes  of keys and values; the streams longest unused go first, but never the last two,
                 which a canvas is looking at
    """

    def __init__(self, reader: Reader, capacity: int, limit_bytes: int = LIMIT_BYTES) -> None:
        self._reader, self._capacity, self._limit_bytes = reader, capacity, limit_bytes
        self._device = reader.weight.device
        self._segments: list[_Segment] = []  # least recently used first

    def read(self, tokens: list[int], direction: int) -> Read:
        """The stream of `tokens`, given in their order of reading.

        It is made of views, which hold until the next call with the same direction. What was read
        beyond `tokens` before is kept: the cursor may come back.
        """
        segment, common = self._closest(tokens, direction)
        fresh = tokens[common:]
        if fresh:
            self._encode(segment, fresh, common)
            segment.tokens = tokens
        self._segments.append(segment)
        self._evict()
        whole = min(self._capacity, -(-len(tokens) // _STRIDE) * _STRIDE)
        padded = torch.tensor([tokens + [0] * (whole - len(tokens))], device=self._device)
        return Read(segment.stream(whole), padded, len(tokens), len(fresh))

    @property
    def size_bytes(self) -> int:
        """Of the keys and values kept."""
        return sum(segment.size_bytes for segment in self._segments)

    def _evict(self) -> None:
        while len(self._segments) > 2 and self.size_bytes > self._limit_bytes:
            del self._segments[0]

    def _closest(self, tokens: list[int], direction: int) -> tuple[_Segment, int]:
        """Take out the segment that shares most with `tokens`; a new one if none shares half."""
        best, common = None, 0
        for segment in self._segments:
            shared = in_common(segment.tokens, tokens) if segment.direction == direction else 0
            if shared > common:
                best, common = segment, shared
        if best is None or common < len(tokens) // 2:
            return self._blank(direction), 0
        self._segments.remove(best)
        return best, common

    def _blank(self, direction: int) -> _Segment:
        config, weight = self._reader.config, self._reader.weight
        room = self._capacity + _READ_STRIDE  # what is read is padded
        shape = (config.layers, config.kv_heads, room, config.width // config.heads)
        return _Segment(direction, [], weight.new_zeros(shape), weight.new_zeros(shape))

    def _encode(self, segment: _Segment, fresh: list[int], common: int) -> None:
        """Have tokens read behind the first `common`, padding last, so that nothing sees it."""
        padded = fresh + [MASK] * (-len(fresh) % _READ_STRIDE)
        before = segment.tokens[common - 1] if common else None
        end = common + len(padded)
        kept = Kept(segment.keys_LKTE[:, :, :end], segment.values_LKTE[:, :, :end])
        self._reader.read(padded, segment.direction, before, kept)
