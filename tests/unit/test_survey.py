"""Holes, shapes, faults and remedies, as a user would point at them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Hole, Span, Survey, SurveyRequest, wire
from engine.survey import survey


def look(text: str, language: str = "python", marker: str = "@@") -> tuple[bytes, Survey]:
    """The text without `|`, and what is found with the cursor and an empty region there."""
    at = text.encode().find(b"|")
    bare = text.encode().replace(b"|", b"", 1)
    request = SurveyRequest(bare, language, marker.encode())
    if at >= 0:
        request = replace(request, cursor=at, region=Span(at, at))
    return bare, survey(request)


def filled(text: bytes, hole: Hole, fill: str) -> str:
    done = hole.lead + fill.encode() + hole.trail
    return (text[: hole.span.start] + done + text[hole.span.end :]).decode()


@pytest.mark.parametrize(
    ("language", "text", "after"),
    [
        ("python", "def f():\n    ...\n", "def f():\n    FILL\n"),
        ("python", "def f(): ...\n", "def f():\n    FILL\n"),
        ("python", "def f():\n\tpass  # TODO\n", "def f():\n\tFILL\n"),
        ("python", "x = @@ + 1\n", "x = FILL + 1\n"),
        ("javascript", "function f() {}\n", "function f() {\n    FILL\n}\n"),
        (
            "javascript",
            "class A {\n  f() { throw new NotImplementedError() }\n}\n",
            "class A {\n  f() {\n    FILL\n  }\n}\n",
        ),
        ("go", "func f() {\n}\n", "func f() {\n    FILL\n}\n"),
        ("rust", "fn f() -> i32 { todo!() }\n", "fn f() -> i32 {\n    FILL\n}\n"),
        ("rust", "fn f() {\n  todo!();\n}\n", "fn f() {\n  FILL\n}\n"),
        ("cobol", "MOVE @@ TO X\n", "MOVE FILL TO X\n"),
    ],
)
def test_a_hole_is_filled_with_the_line_breaks_that_it_needs(
    language: str, text: str, after: str
) -> None:
    bare, found = look(text, language)
    assert [filled(bare, hole, "FILL") for hole in found.holes] == [after]


def test_a_hole_within_a_line_keeps_to_it_and_one_alone_may_grow() -> None:
    _, found = look("def f():\n    @@\n\nx = @@\n")
    assert [hole.max_lines > 1 for hole in found.holes] == [True, False]


def test_code_without_placeholders_has_no_hole() -> None:
    assert look("x: tuple[int, ...] = ()\nif x:\n    pass\n")[1] == Survey()


@pytest.mark.parametrize(
    ("text", "arguments"), [("f(a, g(|b))\n", "b"), ("f(|)\n", ""), ("f(a, | b)\n", "a,  b")]
)
def test_the_arguments_around_the_cursor_are_found(text: str, arguments: str) -> None:
    bare, found = look(text)
    shape = found.shapes[0]
    assert (shape.kind, bare[shape.span.start : shape.span.end].decode()) == (
        "arguments",
        arguments,
    )


@pytest.mark.parametrize(
    ("language", "text", "after"),
    [
        ("python", "def f(a):\n    return |a\n", 'def f(a):\n    """FILL"""\n    return a\n'),
        ("go", "func f() int {\n\treturn |1\n}\n", "// FILL\nfunc f() int {\n\treturn 1\n}\n"),
        (
            "typescript",
            "class A {\n  m() { return |1 }\n}\n",
            "class A {\n  /** FILL */\n  m() { return 1 }\n}\n",
        ),
        (
            "typescript",
            "export function f() { return |1 }\n",
            "/** FILL */\nexport function f() { return 1 }\n",
        ),
    ],
)
def test_a_docstring_has_its_place(language: str, text: str, after: str) -> None:
    bare, found = look(text, language)
    (shape,) = found.shapes
    assert (shape.kind, filled(bare, shape, "FILL")) == ("docstring", after)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", 'def f(a):\n    """Give a."""\n    return |a\n'),
        ("python", "def f(a): return |a\n"),
        ("python", "x = |1\n"),
        ("go", "// f gives 1.\nfunc f() int {\n\treturn |1\n}\n"),
        ("typescript", "/** Gives 1. */\nexport function f() { return |1 }\n"),
    ],
)
def test_what_is_documented_or_no_function_gets_no_docstring(language: str, text: str) -> None:
    assert look(text, language)[1].shapes == ()


@pytest.mark.parametrize(
    ("language", "text", "mended"),
    [
        ("python", "print(foo(1)|\ny = 2\n", "print(foo(1))\ny = 2\n"),
        ("python", "def f(x)|\n    return x\n", "def f(x):\n    return x\n"),
        ("python", "for i in range(3|:\n    i\n", "for i in range(3):\n    i\n"),
        ("python", "x = (1 + 2))|\n", "x = (1 + 2)\n"),
        ("python", "s = 'abc|\ny = 1\n", "s = 'abc'\ny = 1\n"),
        ("c", "int f(int a) {\n  return a|\n}\n", "int f(int a) {\n  return a;\n}\n"),
        ("go", "func f() int {\n\treturn (1|\n}\n", "func f() int {\n\treturn (1)\n}\n"),
        ("python", "x = [v for v values|]\n", "x = [v for v in values]\n"),
        ("python", "def f(a |b):\n    return a\n", "def f(a, b):\n    return a\n"),
        ("python", "if a = |b:\n    c\n", "if a == b:\n    c\n"),
        ("python", "x = [1,\n     2\n|y = 3\n", "x = [1,\n     2]\ny = 3\n"),
    ],
)
def test_what_is_plainly_missing_is_the_first_try(language: str, text: str, mended: str) -> None:
    bare, found = look(text, language)
    (remedy,) = found.remedies
    first = remedy.tries[0]
    assert (bare[: remedy.hole.start] + first + bare[remedy.hole.end :]).decode() == mended


def test_a_fault_that_nothing_plain_mends_has_a_hole_around_it_and_no_tries() -> None:
    bare, found = look("def f(a):\n    return a +|\n\n\ny = 1\n")
    (remedy,) = found.remedies
    assert remedy.tries == ()
    assert bare[remedy.hole.start : remedy.hole.end] == b"return a +"
    assert bare.index(b"+") + 1 in remedy.gaps


def test_far_from_every_fault_there_is_no_remedy() -> None:
    _, found = look("x = 1|\n\n\n\ny = (1\n")
    assert found.faults
    assert not found.remedies


@given(st.text(alphabet="ab(){}[]:;,.='\"\n .@\u00e9", max_size=60), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_every_text_is_surveyed_and_every_try_is_an_improvement(text: str, at: int) -> None:
    bare = text.encode()
    at = len(text[:at].encode())
    found = survey(SurveyRequest(bare, "python", b"@@", at, Span(at, at)))
    assert wire.survey_from_json(wire.to_json(found).encode()) == found
    for remedy in found.remedies:
        for mended in remedy.tries:
            after = bare[: remedy.hole.start] + mended + bare[remedy.hole.end :]
            assert len(survey(SurveyRequest(after, "python")).faults) < len(found.faults)
