"""Climbing and blaming, on lattices written by hand."""

import math
import time
from collections.abc import Collection, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.repair import ROUNDS, Lattice, Mended, blame, climb
from grammars import Fault, Gate, language_for


class Words:
    """A vocabulary made as its words are met."""

    def __init__(self) -> None:
        self.words: list[bytes] = []

    def token(self, word: str) -> int:
        if word.encode() not in self.words:
            self.words.append(word.encode())
        return self.words.index(word.encode())

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        return b"".join(self.words[token] for token in tokens)

    def lattice(self, *places: str | list[str], frozen: Collection[int] = ()) -> Lattice:
        """Each place a word, or words best first, each half as likely as the one before."""
        choices = [[place] if isinstance(place, str) else place for place in places]
        candidates = [
            [(self.token(word), (rank + 1) * math.log(0.5)) for rank, word in enumerate(words)]
            for words in choices
        ]
        return Lattice([place[0][0] for place in candidates], candidates, set(frozen))


def gate_at(text: str) -> Gate:
    """A gate for Python with the hole at `$0`."""
    language = language_for("python")
    assert language
    at = text.encode().index(b"$0")
    return Gate(language, text.encode(), at, at + 2)


def climbed(words: Words, lattice: Lattice, gate: Gate) -> Mended:
    return climb(lattice, gate, words.detokenize, time.monotonic() + 60)


def test_a_sound_canvas_is_left_alone() -> None:
    words = Words()
    lattice = words.lattice(["sum", "max"], "(", ["values", "x"], ")")
    mended = climbed(words, lattice, gate_at("total = $0\n"))
    assert mended == Mended(lattice.tokens, b"sum(values)", sound=True)
    assert blame(lattice, gate_at("total = $0\n"), words.detokenize) == set()


def test_a_bracket_left_open_is_closed_from_the_candidates() -> None:
    words = Words()
    lattice = words.lattice("sum", "(", "values", [".", "x", ")"])
    mended = climbed(words, lattice, gate_at("total = $0\nprint(total)\n"))
    assert mended.text == b"sum(values)"
    assert mended.sound
    assert words.detokenize(mended.tokens) == mended.text


def test_a_stray_token_is_deleted() -> None:
    words = Words()
    lattice = words.lattice("sum", "(", "values", ")", ")")
    mended = climbed(words, lattice, gate_at("total = $0\n"))
    assert mended.text == b"sum(values)"
    assert mended.tokens == lattice.tokens[:-1]


def test_blanks_are_exchanged_for_something() -> None:
    words = Words()
    lattice = words.lattice([" ", "x"], [" ", "y"])
    assert climbed(words, lattice, gate_at("total = 1  # $0\n")).text.strip() in (b"x", b"y")


def test_wrong_indentation_is_exchanged() -> None:
    words = Words()
    lattice = words.lattice("half = r", ["\n        ", "\n    "], "return half")
    mended = climbed(words, lattice, gate_at("def f(r):\n    $0\n\nf(1)\n"))
    assert mended.text == b"half = r\n    return half"


def test_two_faults_take_two_moves() -> None:
    words = Words()
    lattice = words.lattice("f(a", ["]", ")"], "\n", "g(b", ["]", ")"])
    assert climbed(words, lattice, gate_at("$0\nprint(1)\n")).text == b"f(a)\ng(b)"


def test_the_doubtful_but_distant_do_not_use_up_the_tries() -> None:
    words = Words()
    doubtful = [["a", "b", "c", "d"], "\n"] * 30
    lattice = words.lattice(*doubtful, "f(x", ["]", " ", ")"])
    assert climbed(words, lattice, gate_at("$0\n")).text == b"a\n" * 30 + b"f(x)"


def test_the_likelier_of_two_fixes_wins() -> None:
    words = Words()
    lattice = words.lattice("sum", "(", "values", ["]", ", 1)", ")"])
    assert climbed(words, lattice, gate_at("total = $0\n")).text == b"sum(values, 1)"


def test_frozen_places_stay_and_are_not_blamed() -> None:
    words, gate = Words(), gate_at("total = $0\n")
    lattice = words.lattice("sum", "(", "values", ["]", ")"], frozen=[3])
    mended = climbed(words, lattice, gate)
    assert words.token("]") in mended.tokens
    assert 3 not in blame(lattice, gate, words.detokenize)


def test_what_cannot_be_mended_is_not_sound() -> None:
    words = Words()
    lattice = words.lattice(") ) )", "= =", "( (", frozen=[0, 1, 2])
    mended = climbed(words, lattice, gate_at("total = $0\n"))
    assert mended == Mended(lattice.tokens, b") ) )= =( (", sound=False)


@pytest.mark.parametrize("moves", [10, 25])
def test_no_more_moves_are_tried_in_a_round_than_are_allowed(moves: int) -> None:
    """Each makes the text better and none makes it sound, so that all rounds are gone through."""

    class Shrinking:
        judged = 0

        def faults(self, fill: bytes) -> tuple[Fault, ...]:
            self.judged += 1
            return (Fault(0, len(fill), "error"),)

    words, gate = Words(), Shrinking()
    lattice = words.lattice(*[["aaaa", "bbb", "cc", "d"]] * 40)
    climb(lattice, gate, words.detokenize, math.inf, moves)
    assert gate.judged == 1 + ROUNDS * moves


def test_past_the_deadline_no_move_is_tried() -> None:
    words = Words()
    lattice = words.lattice("sum", "(", "values", ["]", ")"])
    mended = climb(lattice, gate_at("total = $0\n"), words.detokenize, time.monotonic() - 1)
    assert mended == Mended(lattice.tokens, b"sum(values]", sound=False)


def test_blame_is_two_places_around_the_fault_and_unmatched_brackets() -> None:
    class FaultAtJ:
        def faults(self, fill: bytes) -> tuple[Fault, ...]:
            return (Fault(fill.index(b"j"), fill.index(b"k"), "error"),)

    words = Words()
    lattice = words.lattice("(", *"bcdefghijklmno")
    assert blame(lattice, FaultAtJ(), words.detokenize) == {0, 7, 8, 9, 10, 11}


def test_a_fault_behind_the_fill_blames_its_end() -> None:
    class FaultBehind:
        def faults(self, fill: bytes) -> tuple[Fault, ...]:
            return (Fault(len(fill), len(fill), "missing )"),)

    words = Words()
    lattice = words.lattice(*"abcdefgh")
    assert blame(lattice, FaultBehind(), words.detokenize) == {5, 6, 7}


def test_text_before_the_canvas_and_text_cut_off_are_not_places() -> None:
    class FaultAt:
        def __init__(self, word: bytes) -> None:
            self.word = word

        def faults(self, fill: bytes) -> tuple[Fault, ...]:
            at = fill.find(self.word) if self.word in fill else len(fill)
            return (Fault(at, at, "error"),)

    words = Words()
    lattice = words.lattice(*"abcdefgh", "\n", *"ijklmn")

    def first_line(tokens: Sequence[int]) -> bytes:
        return (b"xyz" + words.detokenize(tokens)).partition(b"\n")[0]

    assert blame(lattice, FaultAt(b"d"), first_line) == {1, 2, 3, 4, 5}
    assert blame(lattice, FaultAt(b"behind"), first_line) == {5, 6, 7, 8, 9}


def test_an_empty_canvas_has_nothing_to_mend() -> None:
    gate = gate_at("x = (\n\n\ny = ) $0\n")
    assert climb(Lattice([], [], set()), gate, Words().detokenize, math.inf).tokens == []
    assert blame(Lattice([], [], set()), gate, Words().detokenize) == set()


def test_a_lattice_has_candidates_for_each_place() -> None:
    with pytest.raises(ValueError, match="2 tokens, 1 candidate"):
        Lattice([1, 2], [[(1, 0.0)]], set())


PIECES = ["(", ")", "[", "]", "x", " ", "\n", "\n    ", "if ", ":", "=", ",", "'", "return ", "é"]


@settings(max_examples=100, deadline=None)
@given(
    places=st.lists(
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=4, unique=True), max_size=12
    ),
    frozen=st.sets(st.integers(0, 11)),
)
def test_what_is_called_sound_is_sound(places: list[list[str]], frozen: set[int]) -> None:
    words, gate = Words(), gate_at("def f(a):\n    $0\n\nf(1)\n")
    lattice = words.lattice(*places, frozen=frozen)
    mended = climbed(words, lattice, gate)
    assert mended.text == words.detokenize(mended.tokens)
    assert mended.sound == (bool(mended.text.strip()) and gate.faults(mended.text) == ())
    kept = [lattice.tokens[place] for place in sorted(frozen) if place < len(places)]
    remaining = iter(mended.tokens)
    assert all(token in remaining for token in kept)
