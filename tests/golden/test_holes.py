"""The region worth filling at a cursor, and what a file leaves for later: `holes/`, by language."""

from pathlib import Path

import pytest

from grammars import hole_at, language_for, placeholders
from tests.support.markdown_suite import Case, cases

SUITES = sorted(Path(__file__).with_name("holes").glob("*.md"))
CASES = [(suite.stem, case) for suite in SUITES for case in cases(suite)]


@pytest.mark.parametrize(("language_id", "case"), CASES, ids=[f"{s}: {c.name}" for s, c in CASES])
def test_holes(language_id: str, case: Case) -> None:
    language = language_for(language_id)
    if language is None:
        pytest.skip(f"the grammar for {language_id} is not installed")
    marked = case.blocks["cursor"] if "cursor" in case.blocks else case.blocks["later"]
    head, *rest = marked.encode().removesuffix(b"\n").split(b"$0")
    text = b"".join([head, *rest])
    if "later" in case.blocks:
        found = placeholders(language, text)
    else:
        found = [hole_at(language, text, len(head))]
    shown = [f"{shape.kind} {text[shape.start : shape.end].decode()!r}" for shape in found]
    assert shown == case.blocks["holes"].splitlines()


def test_every_core_language_has_a_suite() -> None:
    assert {suite for suite, _ in CASES} >= {
        "python", "javascript", "typescript", "go", "rust", "java", "c", "cpp",
    }  # fmt: skip
