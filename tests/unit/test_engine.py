"""The whole engine, around a scripted denoiser or a tiny random one."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import RequestTooLong
from engine.families.sfumato import Sfumato
from engine.infill import MASK_GLYPH, MAX_TEXT_BYTES, Engine
from engine.schedule import Rule
from engine.tokenizer import FILE, MASK
from engine.types import Draft, InfillRequest, Span, Suggestion, Timings
from grammars import Gate, language_for
from tests.support.scripted_denoiser import Script, ScriptedDenoiser, scripted_engine, tokens_of
from tests.support.tiny_model import CPU, source_code, tiny_checkpoint, tiny_denoiser

UNHURRIED_MS = 600_000.0
CODE = source_code(12, seed=9)


def random_engine(temperature: float = 0.0) -> Engine:
    """Knows nothing, and says so in few passes."""
    rule = Rule(temperature=temperature, passes=2, guesses=1)
    return Engine(Sfumato(tiny_checkpoint(tiny_denoiser()), CPU), rule)


RANDOM = random_engine()
WILD = random_engine(temperature=1.0)


def at(text: str, language: str = "python") -> InfillRequest:
    """A request for the hole at `$0`."""
    start = text.encode().index(b"$0")
    return InfillRequest(
        text.encode().replace(b"$0", b""), Span(start, start), language, budget_ms=UNHURRIED_MS
    )


def answer(engine: Engine, request: InfillRequest) -> tuple[list[Draft], Suggestion]:
    """Drafts, and the one suggestion at the end."""
    *drafts, last = engine.infill(request)
    assert isinstance(last, Suggestion)
    assert all(isinstance(draft, Draft) for draft in drafts)
    return [draft for draft in drafts if isinstance(draft, Draft)], last


def says(text: str, order: int = 0) -> tuple[Engine, ScriptedDenoiser]:
    return scripted_engine(Script(tokens_of(text), order=order))


@pytest.mark.parametrize("text", ["", "1", "sum(value for value in row)"])
def test_the_length_of_a_hole_is_found(text: str) -> None:
    _, found = answer(says(text)[0], at("total = 1$0\n" if not text else "total = $0\n"))
    assert (found.text, found.verdict) == (text, "valid")


def test_a_hole_longer_than_a_block_is_continued_to_its_end() -> None:
    text = "\n    ".join(source_code(1, seed=3).splitlines()[2:7])
    assert len(tokens_of(text)) > 32
    _, found = answer(says(text)[0], replace(at("def f(row):\n    $0\n"), max_lines=10))
    assert found.text == text


@pytest.mark.parametrize("tokens", [1, 15, 16, 17, 32, 33])
def test_a_length_that_is_given_is_kept_to(tokens: int) -> None:
    engine, _ = scripted_engine(Script(tokens_of("1" * 200)))
    _, found = answer(engine, replace(at("total = $0\n"), length_tokens=tokens, max_lines=3))
    assert found.text == "1" * tokens


def test_a_fill_of_no_tokens_may_be_asked_for() -> None:
    _, found = answer(says("1")[0], replace(at("total = 1$0\n"), length_tokens=0))
    assert found.text == ""


def test_what_is_likely_to_stand_here_again_is_judged_and_nothing_else_is_tried() -> None:
    block = "    connection.close_all(reason)\n    log.info('closed', reason)\n"
    request = at(
        f"def one(reason):\n{block}\ndef two(reason):\n{block}\ndef three(reason):\n"
        "    connection.close_all(reason)\n    log.inf$0\n"
    )
    drafts, suggestion = answer(random_engine(), request)
    assert suggestion.text == "o('closed', reason)"
    assert (len(drafts), suggestion.timings.forward_passes) == (1, 1)
    _, several = answer(random_engine(), replace(request, alternatives=3))
    assert several.timings.forward_passes > 1


def test_several_suggestions_are_gone_over_more_often_than_one() -> None:
    request = replace(at("total = $0\n"), length_tokens=9)
    one, several = (answer(random_engine(), replace(request, alternatives=n))[0] for n in (1, 3))
    assert len(one) < len(several)


def test_an_endless_answer_ends() -> None:
    _, found = answer(scripted_engine(Script([*tokens_of("1" * 500)]))[0], at("total = $0\n"))
    assert set(found.text) == {"1"}
    assert len(found.text) < 500


def test_drafts_grow_step_by_step_and_show_what_is_masked() -> None:
    engine, _ = says("sum(row)", order=1)
    drafts, last = answer(engine, replace(at("x = $0\n"), length_tokens=len(tokens_of("sum(row)"))))
    count = len(tokens_of("sum(row)"))
    assert [draft.masked for draft in drafts] == [*range(count - 1, -1, -1)]
    assert [draft.text.count(MASK_GLYPH) for draft in drafts] == [d.masked for d in drafts]
    assert [draft.step for draft in drafts] == list(range(1, count + 1))
    assert drafts[-1].text == last.text == "sum(row)"


def test_the_next_step_is_not_taken_unless_it_is_asked_for() -> None:
    engine, denoiser = says("sum(row)", order=1)
    stream = engine.infill(replace(at("x = $0\n"), length_tokens=7))
    next(stream)
    looks = len(denoiser.looks)
    stream.close()
    assert len(denoiser.looks) == looks


def test_after_a_cancelled_request_the_next_is_answered_as_if_alone() -> None:
    engine, _ = says("sum(row)", order=1)
    request = replace(at("x = $0\n"), length_tokens=len(tokens_of("sum(row)")))
    stream = engine.infill(request)
    next(stream)
    stream.close()
    assert answer(engine, request)[1].text == "sum(row)"


def test_a_fill_on_one_line_holds_no_line_break() -> None:
    text = "sum(row)\n    return row"
    _, found = answer(says(text)[0], at("def f(row):\n    total = $0\n"))
    assert found.text == "sum(row)"


@given(st.integers(0, len(CODE)), st.integers(0, 30), st.integers(0, 2**32), st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_a_random_denoiser_never_adds_a_fault(
    start: int, length: int, seed: int, max_lines: int
) -> None:
    text, hole = CODE.encode(), Span(start, min(start + length, len(CODE)))
    request = InfillRequest(text, hole, "python", max_lines, None, UNHURRIED_MS, seed)
    _, found = answer(WILD, request)
    language = language_for("python")
    assert language
    fill = found.text.encode()
    assert not fill or Gate(language, text, hole.start, hole.end).confirm(fill)
    assert found.text.count("\n") < max_lines
    assert found.score_nats <= 0


def test_the_same_request_has_the_same_answer_whatever_came_between() -> None:
    engine = random_engine(temperature=1.0)
    first = at(CODE[:700] + "$0" + CODE[700:], "markdown")
    first = replace(first, seed=2, length_tokens=20)
    drafts, found = answer(engine, first)
    answer(engine, replace(first, seed=6))
    answer(engine, at("package main\n$0", "go"))
    again, same = answer(engine, first)
    assert found.text
    assert ([d.text for d in drafts], found.text) == ([d.text for d in again], same.text)


def test_another_seed_gives_another_text_at_temperature() -> None:
    engine = random_engine(temperature=1.0)
    request = replace(at("total = $0\n", "markdown"), length_tokens=6)
    texts = {answer(engine, replace(request, seed=seed))[1].text for seed in range(4)}
    assert len(texts) > 1


def test_a_keystroke_costs_few_new_tokens_and_no_keystroke_none() -> None:
    middle = CODE.index("return", 400)
    engine = random_engine()

    def timings(typed: str) -> Timings:
        request = at(CODE[:middle] + typed + "$0" + CODE[middle:])
        return answer(engine, replace(request, length_tokens=4))[1].timings

    cold, warm, typed = timings(""), timings(""), timings("x")
    assert cold.prefill_tokens > 100
    assert warm.prefill_tokens == 0
    assert 0 < typed.prefill_tokens <= 4


def test_a_budget_that_is_spent_fills_at_once_and_shows_nothing_unchecked() -> None:
    engine, _ = says("sum((((", order=1)
    drafts, found = answer(engine, replace(at("x = $0\n"), budget_ms=0, length_tokens=7))
    assert [draft.masked for draft in drafts] == [0]
    assert (found.text, found.verdict) == ("", "rejected")


SITES = {
    "an empty text": "$0",
    "the cursor at the start": "$0import os\n",
    "the cursor at the end": "import os\nx = $0",
    "an empty line": "import os\n\n$0\n\nx = 1\n",
    "a line of 1 MB": "x = '" + "a" * 500_000 + "$0" + "b" * 500_000 + "'\n",
    "after a line of 1 MB": "x = '" + "a" * 1_000_000 + "'\ny = $0\n",
    "a file of 50,000 lines": "x = 1\n" * 25_000 + "y = $0\n" + "x = 1\n" * 25_000,
    "no line break at all": "(" * 3000 + "$0" + ")" * 3000,
    "carriage returns": "import os\r\nx = $0\r\ny = 1\r\n",
    "signs of four bytes": "\U0001f600" * 2000 + "$0" + "\U0001f600" * 2000,
}


@pytest.mark.parametrize("name", SITES)
@pytest.mark.parametrize("language", ["python", "cobol"])
def test_every_place_gets_one_answer(name: str, language: str) -> None:
    _, found = answer(RANDOM, at(SITES[name], language))
    assert found.text.count("\n") == 0
    assert (found.verdict == "unchecked") == (language == "cobol")


@pytest.mark.parametrize("context_tokens", [64, 96, 128, 192])
def test_a_model_of_a_short_context_answers_too(context_tokens: int) -> None:
    engine = Engine(Sfumato(tiny_checkpoint(tiny_denoiser(), context_tokens), CPU), Rule(passes=2))
    middle = len(CODE) // 2
    request = at(CODE[:middle] + "$0" + CODE[middle:], "cobol")
    _, found = answer(engine, replace(request, length_tokens=20, max_lines=9))
    assert found.timings.context_tokens <= context_tokens


def test_a_text_beyond_the_limit_is_refused_in_one_sentence() -> None:
    request = InfillRequest(b"x" * (MAX_TEXT_BYTES + 1), Span(0, 0), "python")
    with pytest.raises(RequestTooLong, match=str(MAX_TEXT_BYTES)) as caught:
        next(RANDOM.infill(request))
    assert "\n" not in str(caught.value)


def test_the_denoiser_sees_the_text_on_both_sides_and_only_masks_in_the_hole() -> None:
    engine, denoiser = says("1")
    answer(engine, at("x = $0 + 2\n"))
    assert denoiser.base == 2 + len(tokens_of("x = "))  # the tag and the start of the file
    assert all(token == MASK for token in denoiser.looks[0][0])
    assert FILE not in _tokens(denoiser.looks)


def _tokens(looks: Iterable[list[list[int]]]) -> set[int]:
    return {token for rows in looks for row in rows for token in row}


@pytest.mark.parametrize("tokens", [1, 5, 16, 20])
def test_a_fill_has_no_more_tokens_than_it_may(tokens: int) -> None:
    engine, _ = scripted_engine(Script(tokens_of("1" * 200)))
    _, found = answer(engine, replace(at("total = $0\n"), max_tokens=tokens))
    assert 0 < found.timings.filled_tokens <= tokens


def test_a_request_that_draws_its_tokens_draws_others_with_another_seed() -> None:
    drawn = replace(at("x = $0\n"), temperature=2.0, length_tokens=8)
    found = {answer(RANDOM, replace(drawn, seed=seed))[0][-1].text for seed in range(5)}
    certain = {
        answer(WILD, replace(drawn, temperature=0.0, seed=seed))[0][-1].text for seed in range(3)
    }
    assert len(found) > 1
    assert len(certain) == 1
