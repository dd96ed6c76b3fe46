"""What the engine makes of a denoiser's answers: `infill/`, a suite for each language."""

from pathlib import Path

import pytest

from engine.types import Draft, InfillRequest, Span, Suggestion
from grammars import Gate, language_for
from tests.support.markdown_suite import Case, cases
from tests.support.scripted_denoiser import Script, scripted_engine, tokens_of

SUITES = sorted(Path(__file__).with_name("infill").glob("*.md"))
CASES = [(suite.stem, case) for suite in SUITES for case in cases(suite)]
UNHURRIED_MS = 600_000.0


@pytest.mark.parametrize(("language_id", "case"), CASES, ids=[f"{s}: {c.name}" for s, c in CASES])
def test_infill(language_id: str, case: Case) -> None:
    check_infill(language_id, case)


def check_infill(language_id: str, case: Case) -> None:
    """Fill the hole of `before`, at `$0` or between two of them, and compare the document."""
    script = script_of(case)
    head, *hole, tail = case.blocks["before"].encode().split(b"$0")
    text, end = head + b"".join(hole) + tail, len(head) + sum(map(len, hole))
    request = InfillRequest(
        text,
        Span(len(head), end),
        language_id,
        max_lines=int(case.blocks.get("lines", "10")),
        length_tokens=len(script.answer),
        budget_ms=UNHURRIED_MS,
    )
    *drafts, last = scripted_engine(script)[0].infill(request)
    assert isinstance(last, Suggestion)
    fill = last.text.encode()
    assert (head + fill + tail).decode() == case.blocks["after"]
    assert last.verdict == case.blocks["verdict"].strip()
    assert not fill or adds_no_fault(language_id, request, fill)
    shown = [draft.text for draft in drafts if isinstance(draft, Draft)]
    if "first draft" in case.blocks:
        assert shown[0] == case.blocks["first draft"].removesuffix("\n")


def script_of(case: Case) -> Script:
    """What the denoiser says; each alternative has a token for each of the answer's."""
    answer, nearly, again = (
        tokens_of(case.blocks.get(name, "").removesuffix("\n"))
        for name in ("answer", "nearly", "again")
    )
    assert len(nearly) in (0, len(answer)), "the alternative has other places than the answer"
    assert len(again) in (0, len(answer)), "the second answer has other places than the first"
    return Script(answer, nearly, again, int(case.blocks.get("order", "0")))


def adds_no_fault(language_id: str, request: InfillRequest, fill: bytes) -> bool:
    """By the whole file; True where there is no grammar."""
    language = language_for(language_id)
    if language is None:
        return True
    return Gate(language, request.text, request.hole.start, request.hole.end).confirm(fill)


def test_every_suite_is_read() -> None:
    assert len(CASES) > 15
    assert {suite for suite, _ in CASES} >= {"python", "javascript", "go", "cobol"}
