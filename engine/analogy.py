"""A fill carried over: as it is to the surroundings of its place, so is the answer to the hole's.

Where the lines around a place and those around the hole differ in a word, that word is exchanged in
the fill too, by itself or as a part of longer ones: what is `load(key)` behind `def test_load` is
`save(key)` behind `def test_save`, and `LoadError` becomes `SaveError`.
"""

import re
from collections.abc import Iterator, Mapping

from rapidfuzz.distance import Levenshtein

from grammars import common_prefix, common_suffix

_TOKEN = re.compile(rb"\w+|[^\w\s]|\n")
_WORD = re.compile(rb"\w+")
_LEAST_PART = 3
"""Bytes of a part of a word; shorter ones stand in words that have nothing to do with it."""
_KEYWORDS = frozenset(
    (
        b"and as assert async await begin break case catch class const continue def default "
        b"defer del do elif else elsif end enum except export extends final finally fn for "
        b"foreach from func function global go goto if impl implements import in instanceof "
        b"interface is lambda let loop match mod mut namespace new nonlocal not of operator or "
        b"override package pass private protected pub public raise return select sizeof static "
        b"struct super switch template then throw throws trait try type typedef typeof union "
        b"unless until unsafe use using var void when where while with yield"
    ).split()
)
"""Of the languages there are: no name stands for one of these."""
_CASES = (bytes, bytes.lower, bytes.upper, bytes.capitalize)


def exchanges(there: bytes, here: bytes) -> dict[bytes, bytes]:
    """The words of one text in whose place the other has another word, and which; no keywords."""
    theirs, ours = _TOKEN.findall(there), _TOKEN.findall(here)
    found: dict[bytes, bytes] = {}
    for step in Levenshtein.opcodes(theirs, ours):
        if step.tag == "replace":
            old = theirs[step.src_start : step.src_end]
            for word, other in zip(old, ours[step.dest_start : step.dest_end], strict=True):
                if _is_name(word) and _is_name(other):
                    found.setdefault(word, other)
    return found


def carried_over(fill: bytes, exchanged: Mapping[bytes, bytes]) -> bytes:
    """The fill with its words exchanged, and in longer ones the parts that the words differ in."""
    parts = dict(part for pair in exchanged.items() for part in _parts(*pair))

    def other(word: re.Match[bytes]) -> bytes:
        if word[0] in exchanged:
            return exchanged[word[0]]
        part = next((part for part in parts if part in word[0]), None)
        return word[0].replace(part, parts[part]) if part else word[0]

    return _WORD.sub(other, fill)


def _is_name(token: bytes) -> bool:
    return _WORD.match(token) is not None and token not in _KEYWORDS


def _parts(word: bytes, other: bytes) -> Iterator[tuple[bytes, bytes]]:
    """What two words differ in, between a common start and end, in the cases it is written in."""
    start = common_prefix(word, other)
    end = common_suffix(word[start:], other[start:])
    old, new = word[start : len(word) - end], other[start : len(other) - end]
    if len(old) >= _LEAST_PART:
        yield from ((case(old), case(new)) for case in _CASES)
