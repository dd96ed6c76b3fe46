"""Which bytes around a hole the model sees."""

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.segments import prefix_tokens, suffix_tokens
from engine.tokenizer import FILE, Tokenizer
from tests.support.tiny_model import source_code, tiny_tokenizer

CODE = source_code(60, seed=5).encode()
LIMIT = 200


def shared(first: list[int], second: list[int]) -> int:
    """Length of the common head."""
    pairs = zip(first, second, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def test_a_short_text_is_seen_whole_and_its_ends_are_marked() -> None:
    tokenizer = tiny_tokenizer()
    text = b"import os\nprint(os.name)\n"
    prefix = prefix_tokens(tokenizer, "python", text, 10, LIMIT)
    suffix = suffix_tokens(tokenizer, "python", text, 15, LIMIT)
    assert prefix == [tokenizer.tag("python"), FILE, *tokenizer.encode(b"import os\n")]
    assert suffix == [tokenizer.tag("python"), FILE, *reversed(tokenizer.encode(b"(os.name)\n"))]


def test_an_empty_text_is_a_file_with_nothing_in_it() -> None:
    tag = tiny_tokenizer().tag("go")
    assert prefix_tokens(tiny_tokenizer(), "go", b"", 0, LIMIT) == [tag, FILE]
    assert suffix_tokens(tiny_tokenizer(), "go", b"", 0, LIMIT) == [tag, FILE]


@given(st.integers(0, len(CODE)), st.integers(8, 400))
def test_windows_end_at_the_hole_and_keep_to_their_limit(at: int, limit: int) -> None:
    tokenizer = tiny_tokenizer()
    prefix = prefix_tokens(tokenizer, "python", CODE, at, limit)
    suffix = suffix_tokens(tokenizer, "python", CODE, at, limit)
    assert max(len(prefix), len(suffix)) <= limit
    assert CODE[:at].endswith(tokenizer.decode(prefix))
    assert CODE[at:].startswith(tokenizer.decode(reversed(suffix)))


@pytest.mark.parametrize("text", [CODE, b"x = [" + b"1, 2, 3, " * 2000], ids=["code", "digits"])
def test_while_the_user_types_the_far_edge_stays(text: bytes) -> None:
    tokenizer = tiny_tokenizer()
    windows = [prefix_tokens(tokenizer, "python", text, at, LIMIT) for at in range(3000, 3040)]
    moved = sum(shared(*pair) < len(pair[0]) // 2 for pair in pairwise(windows))
    assert moved <= 1


@cache
def of_three_byte_signs() -> Tokenizer:
    return Tokenizer.train(["\u8a9e\u8a9e \u8a9e" * 50], 271)


@given(st.integers(20, 60), st.integers(0, 9))
def test_windows_in_a_huge_line_begin_and_end_between_characters(limit: int, more: int) -> None:
    text, middle = ("\u8a9e" * 400 + "x" * more).encode(), 3 * 200
    tokenizer = of_three_byte_signs()
    prefix = prefix_tokens(tokenizer, "python", text, middle, limit)
    suffix = suffix_tokens(tokenizer, "python", text, middle, limit)
    assert set(tokenizer.decode(prefix).decode()) == {"\u8a9e"}
    assert set(tokenizer.decode(reversed(suffix)).decode()) <= {"\u8a9e", "x"}
