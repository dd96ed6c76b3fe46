"""What the gate refuses: `faults/`, a suite for each language."""

import json
from pathlib import Path

import pytest

from grammars import Gate, language_for
from tests.support.markdown_suite import Case, cases

SUITES = sorted(Path(__file__).with_name("faults").glob("*.md"))
CASES = [(suite.stem, case) for suite in SUITES for case in cases(suite)]


@pytest.mark.parametrize(("language_id", "case"), CASES, ids=[f"{s}: {c.name}" for s, c in CASES])
def test_faults(language_id: str, case: Case) -> None:
    check_faults(language_id, case)


def check_faults(language_id: str, case: Case) -> None:
    """Fill the hole of `before`, at `$0` or between two of them, and compare the faults."""
    language = language_for(language_id)
    if language is None:
        pytest.skip(f"the grammar for {language_id} is not installed")
    head, *hole, tail = case.blocks["before"].encode().split(b"$0")
    fill = case.blocks["fill"].removesuffix("\n").encode()
    end = len(head) + sum(map(len, hole))
    gate = Gate(language, head + b"".join(hole) + tail, len(head), end)
    found = gate.faults(fill)
    shown = [f"{f.kind} {json.dumps(fill[f.start : f.end].decode())}" for f in found]
    assert shown == case.blocks["faults"].splitlines()
    assert gate.confirm(fill) == (not found)
    if "prefix" in case.blocks:
        assert gate.longest_sound_prefix(fill) == case.blocks["prefix"].removesuffix("\n").encode()


def test_every_suite_is_read() -> None:
    assert len(CASES) > 60
    assert {suite for suite, _ in CASES} >= {"python", "javascript", "typescript", "go", "rust"}
