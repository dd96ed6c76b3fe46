"""Fills carried over from one place to another."""

from hypothesis import given
from hypothesis import strategies as st

from engine.analogy import carried_over, exchanges


def carried(fill: str, there: str, here: str) -> str:
    """A fill as it is at one place, taken to another."""
    return carried_over(fill.encode(), exchanges(there.encode(), here.encode())).decode()


def test_a_word_that_differs_is_exchanged() -> None:
    assert carried("load(key)", "def test_load(key):", "def test_save(key):") == "save(key)"


def test_so_is_a_part_of_a_longer_word_in_its_case() -> None:
    assert carried("raise LoadError(LOADED)", "def load():", "def save():") == (
        "raise SaveError(SAVEED)"
    )


def test_short_parts_are_left_alone() -> None:
    assert carried("max(i, limit)", "for i in a:", "for j in b:") == "max(j, limit)"


def test_numbers_are_words_too() -> None:
    assert carried("rows[1]", "first = row_1 + 1", "first = row_1 + 2") == "rows[2]"


def test_where_all_is_alike_nothing_changes() -> None:
    assert carried("load(key)", "def test(key):", "def test(key):") == "load(key)"


def test_what_differs_in_more_than_a_word_says_nothing() -> None:
    assert carried("load(key)", "def load(key):", "def ():") == "load(key)"


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=30))
def test_any_bytes_are_taken(there: bytes, here: bytes, fill: bytes) -> None:
    assert carried_over(fill, exchanges(there, there)) == fill
    assert isinstance(carried_over(fill, exchanges(there, here)), bytes)


def test_no_name_becomes_a_keyword_and_no_keyword_another() -> None:
    assert carried("self.items", "def self.go()", "def return.go()") == "self.items"
    assert carried("raise Wrong()", "raise Empty()", "return Empty()") == "raise Wrong()"
