"""What a request may demand of its fill."""

import pytest

from engine.constraints import ConstrainedGate, check
from engine.errors import ConstraintError
from engine.types import Constraint, InfillRequest, Span, Suggestion
from engine.wire import request_from_json, to_json
from grammars import Gate, language_for
from tests.support.scripted_denoiser import Script, scripted_engine, tokens_of

TEXT = b"x = f\n"
UNHURRIED_MS = 600_000.0


def infill(answer: str, nearly: str, constraint: Constraint) -> Suggestion:
    script = Script(tokens_of(answer), tokens_of(nearly))
    request = InfillRequest(
        TEXT,
        Span(5, 5),
        "python",
        length_tokens=len(script.answer),
        budget_ms=UNHURRIED_MS,
        constraint=constraint,
    )
    *_, last = scripted_engine(script)[0].infill(request)
    assert isinstance(last, Suggestion)
    return last


def test_a_fill_that_meets_the_constraint_is_valid() -> None:
    found = infill("(a)", "", Constraint(must=(b"a",), regex=r"\(\w\)", node="argument_list"))
    assert (found.text, found.verdict) == ("(a)", "valid")


@pytest.mark.parametrize(
    "constraint",
    [Constraint(must=(b"b",)), Constraint(regex=r"\([b-z]\)")],
    ids=["text", "regular expression"],
)
def test_what_was_not_said_first_is_taken_where_it_meets_the_constraint(
    constraint: Constraint,
) -> None:
    assert infill("(a)", "(b)", constraint).text == "(b)"


@pytest.mark.parametrize(
    "constraint",
    [Constraint(regex="[0-9]+"), Constraint(node="lambda")],
    ids=["regular expression", "node"],
)
def test_a_fill_that_does_not_meet_the_constraint_is_never_offered(constraint: Constraint) -> None:
    found = infill("(a)", "(b)", constraint)
    assert (found.text, found.verdict) == ("", "rejected")


def test_a_demanded_text_is_offered_though_the_model_never_says_it() -> None:
    assert "zz" in infill("(a)", "(b)", Constraint(must=(b"zz",))).text


@pytest.mark.parametrize(
    ("constraint", "reason"),
    [
        (Constraint(regex="(a"), "cannot be read"),
        (Constraint(node="argument-list"), "the grammar of Python has not"),
        (Constraint(must=(b"a\nb",)), "more lines"),
    ],
)
def test_what_no_fill_can_meet_is_told_at_once(constraint: Constraint, reason: str) -> None:
    with pytest.raises(ConstraintError, match=reason):
        infill("(a)", "", constraint)


def test_a_kind_of_node_needs_a_grammar() -> None:
    with pytest.raises(ConstraintError, match="no grammar"):
        check(Constraint(node="argument_list"), None, 1)


def test_demanded_texts_come_in_their_order() -> None:
    gate = ConstrainedGate(None, Constraint(must=(b"a", b"b")))
    assert gate.confirm(b"a b")
    assert not gate.confirm(b"b a")


def test_a_pattern_that_takes_for_ever_is_not_matched() -> None:
    gate = ConstrainedGate(None, Constraint(regex="(a|aa|aaa|a*)+(b|c)+$(?<=d)"))
    assert gate.faults(b"a" * 5000)


def test_the_longest_sound_prefix_meets_the_constraint() -> None:
    language = language_for("python")
    assert language
    gate = ConstrainedGate(Gate(language, TEXT, 5, 5), Constraint(must=(b"a",)))
    assert gate.longest_sound_prefix(b"(a) (") == b"(a)"
    assert gate.longest_sound_prefix(b"(b) (") == b""


def test_a_constraint_crosses_the_wire() -> None:
    constraint = Constraint((b"a",), "a+", "identifier")
    request = InfillRequest(TEXT, Span(5, 5), "python", constraint=constraint)
    assert request_from_json(to_json(request).encode()) == request
