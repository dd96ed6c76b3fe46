"""A draft is gone over: what is doubted most is written anew, the rest stays as it was."""

import ast
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.families.sfumato import Sfumato
from engine.infill import Engine
from engine.redraft import longest_run, variants
from engine.schedule import Rule
from engine.tokenizer import MASK
from engine.types import Draft, InfillRequest, Span, Suggestion
from tests.support.scripted_denoiser import Script, ScriptedDenoiser, scripted_engine, tokens_of
from tests.support.tiny_model import CPU, source_code, tiny_checkpoint, tiny_denoiser

UNHURRIED_MS = 600_000.0


def over(draft: str, strength: float, text: str = "total = $0\n", **other: int) -> InfillRequest:
    """A request to go over a draft for the hole at `$0`."""
    start = text.encode().index(b"$0")
    return InfillRequest(
        text.encode().replace(b"$0", b""),
        Span(start, start),
        "python",
        max_lines=max(draft.count("\n") + 1, other.get("max_lines", 1)),
        budget_ms=UNHURRIED_MS,
        alternatives=other.get("alternatives", 1),
        draft=draft.encode(),
        strength=strength,
    )


def says(text: str, nearly: str = "") -> tuple[Engine, ScriptedDenoiser]:
    return scripted_engine(Script(tokens_of(text), tokens_of(nearly)))


def answer(engine: Engine, request: InfillRequest) -> tuple[list[Draft], Suggestion]:
    *drafts, last = engine.infill(request)
    assert isinstance(last, Suggestion)
    return [draft for draft in drafts if isinstance(draft, Draft)], last


def test_the_place_that_the_denoiser_doubts_is_written_anew() -> None:
    engine, _ = says("sum(row)")
    _, found = answer(engine, over("sum(count)", 0.2))
    assert (found.text, found.verdict) == ("sum(row)", "valid")


@pytest.mark.parametrize(
    ("places", "texts"),
    [(0, {"7 + 7 + 1"}), (1, {"1 + 7 + 1", "7 + 1 + 1"}), (2, {"1 + 1 + 1"})],
)
def test_of_what_it_doubts_only_the_share_is_changed(places: int, texts: set[str]) -> None:
    engine, _ = says("1 + 1 + 1")
    share = places / len(tokens_of("7 + 7 + 1"))
    assert answer(engine, over("7 + 7 + 1", share))[1].text in texts


def test_at_full_strength_the_draft_is_not_looked_at() -> None:
    engine, _ = says("len(row)")
    with_draft = answer(engine, over("sum(count)", 1.0))[1].text
    assert with_draft == answer(engine, over("", 1.0))[1].text == "len(row)"


def test_an_empty_draft_is_no_draft() -> None:
    engine, _ = says("len(row)")
    assert answer(engine, over("", 0.3))[1].text == "len(row)"


def test_drafts_show_the_whole_hole_while_one_block_of_it_is_written() -> None:
    draft = "\n".join(f"x{number} = {number}" for number in range(12))
    engine = Engine(Sfumato(tiny_checkpoint(tiny_denoiser()), CPU), Rule(passes=2))
    drafts, _ = answer(engine, over(draft, 0.1, "$0\n"))
    assert len(tokens_of(draft)) > 28
    assert all(draft.text.endswith("11") for draft in drafts[:2])


@given(st.integers(0, 2**32), st.sampled_from([0.1, 0.4, 0.9]))
@settings(max_examples=4, deadline=None)
def test_a_long_draft_stays_sound_whatever_the_denoiser_says(seed: int, strength: float) -> None:
    draft = source_code(2, seed=3).strip()
    engine = Engine(Sfumato(tiny_checkpoint(tiny_denoiser()), CPU), Rule(passes=1, temperature=1.0))
    request = replace(over(draft, strength, "import os\n\n$0\n"), seed=seed)
    _, found = answer(engine, request)
    assert found.verdict == "rejected" or ast.parse(found.text)


def test_what_cannot_be_made_sound_leaves_the_draft() -> None:
    engine, _ = says(")" * 40)
    _, found = answer(engine, over("1 + 1 + 1 + 1 + 1 + 1", 0.9))
    assert (found.text, found.verdict) == ("", "rejected")


def test_several_ways_to_end_are_all_different_and_sound() -> None:
    engine = Engine(Sfumato(tiny_checkpoint(tiny_denoiser()), CPU), Rule(passes=1, temperature=1.0))
    for draft in ("", "sum(count)"):
        _, found = answer(engine, over(draft, 0.5, "total = $0\n", alternatives=4))
        texts = [found.text, *(other.text for other in found.others)]
        assert len(found.others) <= 3
        assert len(set(texts)) == len(texts)
        assert all(not text or compile(f"total = {text}", "x", "exec") for text in texts)


def test_other_lengths_are_other_suggestions() -> None:
    engine, _ = says("1" * 9)
    _, found = answer(engine, replace(over("", 1.0), alternatives=3, language="cobol"))
    assert found.text == "1" * 9
    assert found.others
    assert [other.score_nats for other in found.others] == sorted(
        (other.score_nats for other in found.others), reverse=True
    )


@pytest.mark.parametrize(
    ("row", "run"),
    [([5], (0, 0)), ([MASK, 5, MASK, MASK, 6], (2, 4)), ([MASK, MASK], (0, 2)), ([], (0, 0))],
)
def test_the_longest_run_of_masks_is_found(row: list[int], run: tuple[int, int]) -> None:
    assert longest_run(row) == run


def test_a_row_is_varied_where_it_is_masked_most() -> None:
    row = [MASK, 5, MASK, MASK, 6]
    assert list(variants(row, 3)) == [
        row,
        [MASK, 5, MASK, MASK, MASK, 6],
        [MASK, 5, MASK, 6],
    ]
    assert list(variants([5, 6], 3)) == [[5, 6]]
