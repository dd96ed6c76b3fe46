"""From finished canvases to text that adds no fault."""

import time
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.canvas import Canvas
from engine.joints import Joints
from engine.overlap import Surroundings
from engine.sampler import Limits, denoise
from engine.schedule import Rule
from engine.settle import Fill, Settled, Settler
from engine.tokenizer import SPECIALS
from engine.types import Span
from grammars import Gate, language_for
from tests.support.scripted_denoiser import tokens_of
from tests.support.tiny_model import tiny_tokenizer

SLOTS = 16
CPU = torch.device("cpu")
FORBIDDEN = torch.arange(tiny_tokenizer().size) < len(SPECIALS)


class Says:
    """A denoiser that gives each place one token, and nearly another."""

    def __init__(self, text: str, nearly: str = "") -> None:
        self.tokens, self.nearly = tokens_of(text), tokens_of(nearly)
        self.looks = 0

    def __call__(self, tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        self.looks += 1
        logits_CV = torch.zeros(SLOTS, tiny_tokenizer().size)
        for scale, tokens in ((10.0, self.nearly), (20.0, self.tokens)):
            for slot, token in enumerate(tokens[:SLOTS]):
                logits_CV[slot, token] = scale
        return logits_CV.expand(len(tokens_NC), -1, -1)[wanted_NC].log_softmax(-1)


def fill(text: str, nearly: str = "", before: str = "", score_nats: float = -1.0) -> Fill:
    """A finished fill, as decoding leaves it."""
    look = Says(text, nearly)
    canvas = Canvas.blank([len(look.tokens)], SLOTS, CPU)
    list(denoise(look, canvas, Rule(), Limits(FORBIDDEN), torch.Generator()))
    return Fill(tokens_of(before), canvas, look, score_nats)


def gate_at(text: str, language_id: str = "python") -> Gate:
    language = language_for(language_id)
    assert language
    at = text.encode().index(b"$0")
    return Gate(language, text.encode().replace(b"$0", b""), at, at)


def settle(
    site: str | None, fills: Sequence[Fill], max_lines: int = 10, deadline: float | None = None
) -> tuple[Settled, int]:
    """The answer for a hole at `$0`, and how many further passes it took."""
    before, _, after = (site or "$0").partition("$0")
    hole = Span(len(before.encode()), len(before.encode()))
    settler = Settler(
        gate=None if site is None else gate_at(site),
        around=Surroundings.of((before + after).encode(), hole),
        joints=Joints((before + after).encode(), hole, max_lines),
        tokenizer=tiny_tokenizer(),
        max_lines=max_lines,
        rule=Rule(),
        forbidden_V=FORBIDDEN,
        noise=torch.Generator(),
        deadline=time.monotonic() + 600 if deadline is None else deadline,
    )
    steps, passes = settler.settle(list(fills)), 0
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            return finished.value, passes
        passes += 1


def test_a_sound_fill_is_given_as_it_is() -> None:
    settled, passes = settle("total = $0\n", [fill("sum(row)", nearly="len(row)")])
    assert (settled, passes) == (Settled(b"sum(row)", "valid", -1.0), 0)


def test_the_first_sound_fill_wins() -> None:
    fills = [fill("sum(row", score_nats=-1), fill("len(row)", score_nats=-2), fill("row")]
    assert settle("total = $0\n", fills)[0] == Settled(b"len(row)", "valid", -2.0)


def test_nothing_at_all_is_no_rival_of_a_fill_that_can_be_mended() -> None:
    fills = [fill("[count, 7)", nearly="[count, 7]"), fill("", score_nats=-2)]
    settled, _ = settle("print($0)\n", fills)
    assert settled.verdict == "repaired"
    assert b"count, 7" in settled.text


def test_a_fill_of_which_nothing_is_left_is_not_called_repaired() -> None:
    assert settle("total = 1$0\n", [fill(" )")])[0] == Settled(b"", "rejected", -1.0)


def test_an_empty_fill_is_sound_where_nothing_was_missing() -> None:
    assert settle("total = 1$0\n", [fill("")])[0] == Settled(b"", "valid", -1.0)


def test_without_a_grammar_the_best_fill_is_given_unchecked() -> None:
    settled, passes = settle(None, [fill("sum((("), fill("sum")])
    assert (settled, passes) == (Settled(b"sum(((", "unchecked", -1.0), 0)


def test_without_a_grammar_stray_bytes_are_left_out() -> None:
    stray = tiny_tokenizer().encode(b"\xff")
    found = fill("ab")
    found.canvas.tokens_NC[0, 1] = stray[0]
    settled, _ = settle(None, [found])
    assert settled.text == b"a"


def test_characters_that_are_cut_in_two_are_not_shown() -> None:
    found = fill('"x')
    found.canvas.tokens_NC[0, 1] = tiny_tokenizer().encode("\u00e9".encode())[0]
    settled, _ = settle('total = $0"\n', [found])
    settled.text.decode()


def test_past_the_deadline_nothing_unchecked_is_shown() -> None:
    broken = fill("sum(row", nearly="sum(row")
    settled, passes = settle("total = $0\n", [broken], deadline=time.monotonic() - 1)
    assert (settled, passes) == (Settled(b"", "rejected", -1.0), 0)


def test_past_the_deadline_a_sound_fill_is_still_shown() -> None:
    settled, _ = settle("total = $0\n", [fill("sum(row)")], deadline=time.monotonic() - 1)
    assert settled == Settled(b"sum(row)", "valid", -1.0)


def test_mending_looks_again_a_bounded_number_of_times() -> None:
    broken = fill(") ) ) ) ) ) ) )")
    assert isinstance(broken.look, Says)
    settled, passes = settle("total = $0\n", [broken])
    assert settled == Settled(b"", "rejected", -1.0)
    assert passes == broken.look.looks - 1 <= 4


def test_the_blocks_before_the_last_stay_as_they_are() -> None:
    broken = fill("[count, 7)", nearly="[count, 7]", before="count = 1\n    return ")
    settled, _ = settle("def load(path):\n    $0\n", [broken])
    assert settled == Settled(b"count = 1\n    return [count, 7]", "repaired", -1.0)


def test_a_mistake_in_an_earlier_block_is_cut_away() -> None:
    broken = fill("return name", before="name = path\n    ) ) ) ) ) ) )\n    ")
    settled, _ = settle("def load(path):\n    $0\n", [broken])
    assert settled == Settled(b"name = path", "cut", -1.0)


def test_a_lesser_row_is_mended_where_the_best_cannot_be() -> None:
    hopeless, lesser = fill(") ) ) ) ) )"), fill("[count, 7)", nearly="[count, 7]", score_nats=-2.0)
    settled, passes = settle("total = $0\n", [hopeless, lesser])
    assert (settled, passes) == (Settled(b"[count, 7]", "repaired", -2.0), 0)


def test_of_what_cannot_be_mended_the_least_that_completes_the_line_is_left() -> None:
    settled, _ = settle("print(1$0\n", [fill("= = = = = = = =")])
    assert settled == Settled(b")", "cut", -1.0)


def test_from_one_statement_into_another_two_halves_of_other_lines_are_joined() -> None:
    site = "check(one, 1)\nsend(a, b)\nche$0nd(c, d)\n"
    settled, passes = settle(site, [fill(") ) ) ) ) )")])
    assert (settled, passes) == (Settled(b"ck(one, 1)\nse", "cut", -1.0), 0)


def test_what_takes_a_name_takes_one_that_the_model_thought_of() -> None:
    settled, _ = settle("$0\n    return 1\n", [fill("= = load = =")])
    assert settled == Settled(b"if load:", "cut", -1.0)


def test_only_where_nothing_is_left_the_model_looks_again() -> None:
    hopeless = fill("= = = = = = = =")
    assert settle("print(1$0\n", [hopeless])[1] == 0
    assert settle("(]$0\n", [fill(") ) ) ) )")])[1] > 0


@pytest.mark.parametrize("max_lines", [1, 2, 3])
def test_no_more_lines_are_given_than_asked_for(max_lines: int) -> None:
    text = "name = path\n    count = 1\n    return name"
    settled, _ = settle("def load(path):\n    $0\n", [fill(text)], max_lines)
    assert settled.text.decode() == "\n".join(text.split("\n")[:max_lines])
    assert settled.verdict == "valid"


PIECES = st.sampled_from([*"()[]{}:,\n.'\"#=", "\n    ", " ", "name", "return ", "def ", "1", "\\"])


@given(
    st.lists(PIECES, max_size=14).map("".join),
    st.lists(PIECES, max_size=14).map("".join),
    st.sampled_from(
        ["total = $0\n", "print($0)\n", "def f(x):\n    $0\n", "f(\n$0", "$0", "x = '$0'\ny = [\n"]
    ),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_shown_adds_no_fault(text: str, nearly: str, site: str) -> None:
    settled, _ = settle(site, [fill(text, nearly)])
    assert settled.verdict in ("valid", "repaired", "cut", "rejected")
    assert (settled.text == b"") or gate_at(site).confirm(settled.text)
    assert (settled.verdict == "rejected") <= (settled.text == b"")
