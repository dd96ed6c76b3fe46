"""A file cut into holes."""

import random
from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.train.tiles import tile
from tests.support.tiny_model import source_code

TEXT = st.one_of(
    st.text(),
    st.lists(st.sampled_from([*"\n\n\n ()[]{}\t\r", "name", "\u00e9", "    "])).map("".join),
    st.integers(0, 99).map(lambda seed: source_code(2, seed)),
)


@given(TEXT, st.integers(0, 2**32))
def test_tiles_join_to_the_text(text: str, seed: int) -> None:
    pieces = tile(text, random.Random(seed))
    assert "".join(pieces) == text
    assert all(pieces)


def test_the_same_seed_cuts_the_same_tiles() -> None:
    text = source_code(10, seed=1)
    assert tile(text, random.Random(5)) == tile(text, random.Random(5))
    assert tile(text, random.Random(5)) != tile(text, random.Random(6))


def kinds_of(pieces: list[str]) -> Counter[str]:
    """What a user would call each hole, by what stands around it."""
    counts: Counter[str] = Counter()
    text = "".join(pieces)
    end = 0
    for piece in pieces:
        start, end = end, end + len(piece)
        before, after = text[:start], text[end:]
        begins_line = before == "" or before.endswith("\n")
        counts["whole line"] += begins_line and piece.endswith("\n") and piece.count("\n") == 1
        counts["several lines"] += begins_line and piece.endswith("\n") and piece.count("\n") > 1
        typed = before.rpartition("\n")[2].strip()
        counts["rest of a line"] += bool(typed) and after.startswith("\n") and "\n" not in piece
        counts["in brackets"] += before[-1:] in {*"([{"} and after[:1] in {*")]}"}
        counts["inside a word"] += (before[-1:] + piece[:1]).isalpha()
        counts["a word or two"] += piece.strip().isidentifier()
    return counts


def test_holes_are_of_every_kind_that_a_cursor_leaves_open() -> None:
    text = source_code(150, seed=1)
    pieces = tile(text, random.Random(1))
    counts = kinds_of(pieces)
    for kind in (
        "whole line",
        "several lines",
        "rest of a line",
        "in brackets",
        "inside a word",
        "a word or two",
    ):
        assert counts[kind] > len(pieces) / 100, f"{kind}: {counts}"


def test_most_edges_are_natural_and_some_are_inside_a_word() -> None:
    pieces = tile(source_code(150, seed=1), random.Random(1))
    edges = [a[-1].isalnum() and b[0].isalnum() for a, b in pairwise(pieces)]
    assert 0.05 < sum(edges) / len(edges) < 0.4
