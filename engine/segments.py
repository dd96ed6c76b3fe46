"""Which bytes around a hole the model sees, as the tokens of its two streams.

A window's far edge moves in hops: it stays where it is while the user types, so that what was read
from there stays in the cache.
"""

from engine.tokenizer import FILE, Tokenizer

_BYTES_PER_TOKEN = 3
"""Fewer than code has on average (3.2 with 8k tokens), so that a window seldom has to be cut."""


def prefix_tokens(
    tokenizer: Tokenizer, language: str, text: bytes, start: int, limit: int
) -> list[int]:
    """At most `limit` tokens that end at byte `start`, in reading order, language tag first."""
    begin = _far_edge(text, start, limit)
    tokens = tokenizer.encode(text[begin:start])
    if begin == 0:
        tokens = [FILE, *tokens]
    return [tokenizer.tag(language), *tokens[-(limit - 1) :]]


def suffix_tokens(
    tokenizer: Tokenizer, language: str, text: bytes, end: int, limit: int
) -> list[int]:
    """At most `limit` tokens from byte `end` on, the last one first, language tag before them."""
    far = len(text) - _far_edge(text[::-1], len(text) - end, limit)
    tokens = tokenizer.encode(text[end:far])
    if far == len(text):
        tokens = [*tokens, FILE]
    return [tokenizer.tag(language), *reversed(tokens[: limit - 1])]


def _far_edge(text: bytes, near: int, limit: int) -> int:
    """Where a window that ends at `near` begins: a line end at a hop, or a hop in a huge line."""
    reach = limit * _BYTES_PER_TOKEN
    if near <= reach:
        return 0
    hop = reach // 3
    edge = -(-(near - reach) // hop) * hop
    line = text.find(b"\n", edge - 1, near)
    if 0 <= line < edge + hop:
        return line + 1
    while edge < near and 0x80 <= text[edge] < 0xC0:  # not inside a character
        edge += 1
    return edge
