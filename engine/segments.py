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
    begin = window_start(text, start, limit)
    tokens = tokenizer.encode(text[begin:start])
    if begin == 0:
        tokens = [FILE, *tokens]
    return [tokenizer.tag(language), *nearest(tokens, limit - 1)]


def suffix_tokens(
    tokenizer: Tokenizer, language: str, text: bytes, end: int, limit: int
) -> list[int]:
    """At most `limit` tokens from byte `end` on, the last one first, language tag before them."""
    stop = window_end(text, end, limit)
    tokens = tokenizer.encode(text[end:stop])
    if stop == len(text):
        tokens = [*tokens, FILE]
    return [tokenizer.tag(language), *nearest(tokens[::-1], limit - 1)]


def nearest(tokens: list[int], limit: int) -> list[int]:
    """The last `limit` tokens or fewer: what is read first is dropped in hops."""
    excess = max(0, len(tokens) - limit)
    hop = max(1, limit // 4)
    return tokens[-(-excess // hop) * hop :]


def in_common(first: list[int], second: list[int]) -> int:
    """Length of the longest common beginning."""
    low, high = 0, min(len(first), len(second))
    while low < high:  # by halves: comparing slices is hundreds of times as fast as comparing items
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def window_start(text: bytes, near: int, limit: int) -> int:
    """Where a window that ends at `near` begins: a line start after a hop, or the hop itself."""
    reach = limit * _BYTES_PER_TOKEN
    if near <= reach:
        return 0
    hop = reach // 3
    edge = -(-(near - reach) // hop) * hop
    line = text.find(b"\n", edge - 1, edge + hop)
    if line >= 0:
        return line + 1
    while edge < near and _inside_character(text, edge):
        edge += 1
    return edge


def window_end(text: bytes, near: int, limit: int) -> int:
    """Where a window that begins at `near` ends; its hops count from the end of the text."""
    reach = limit * _BYTES_PER_TOKEN
    if len(text) - near <= reach:
        return len(text)
    hop = reach // 3
    edge = len(text) - -(-(len(text) - near - reach) // hop) * hop
    line = text.rfind(b"\n", edge - hop, edge)
    if line >= 0:
        return line + 1
    while edge > near and _inside_character(text, edge):
        edge -= 1
    return edge


def _inside_character(text: bytes, offset: int) -> bool:
    """Would a cut here part the bytes of one character?"""
    return offset < len(text) and 0x80 <= text[offset] < 0xC0
