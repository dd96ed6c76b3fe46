"""Halves of lines, looked up and put together for holes that one line cannot fill."""

from collections.abc import Sequence

from engine.joints import Joints
from engine.types import Span


def joined(text: str, endings: Sequence[str] = (), max_lines: int = 10) -> list[str]:
    """The fills for the hole at `$0`."""
    before, _, after = text.partition("$0")
    at = len(before.encode())
    joints = Joints((before + after).encode(), Span(at, at), max_lines)
    return [fill.decode() for fill in joints.fills([ending.encode() for ending in endings])]


def test_a_line_goes_on_as_one_line_does_and_the_rest_begins_as_another() -> None:
    text = 'check.equal(one, 1)\nreply.send("a")\ncheck.eq$0nd("b")\n'
    assert joined(text)[0] == "ual(one, 1)\nreply.se"


def test_within_a_line_what_lies_between_the_halves_is_enough() -> None:
    text = "pair = union([number(), string()])\nother = un$0(), text()])\n"
    assert joined(text)[0] == "ion([number"


def test_where_the_line_is_empty_a_line_that_goes_before_one_like_the_next() -> None:
    text = "if ready {\n    go(1);\n}\n$0\n    go(1);\n}\n"
    assert joined(text)[0] == "if ready {"


def test_lines_that_close_may_stand_between_the_halves() -> None:
    text = "a {\n  stop(1);\n}\nwhen (b) {\n  st$0en (c) {\n}\n"
    assert "op(1);\n}\nwh" in joined(text)


def test_the_second_half_is_indented_as_the_line_below() -> None:
    text = "    one(1)\n    two(2)\n    on$0wo(3)\n    three()\n"
    assert joined(text)[0] == "e(1)\n    t"


def test_a_line_may_end_as_it_is_told() -> None:
    assert '")\npri' in joined('print(1)\nname = f("word$0nt(2)\n', ['")'])


def test_how_a_line_may_end_is_tried_in_turn_with_how_lines_like_it_end() -> None:
    text = "read(a, b)\nread(a, c)\nprint(1)\nread(a$0nt(2)\n"
    fills = joined(text, [")"])
    assert fills[0] == ", c)\npri"
    assert fills.index(")\npri") < fills.index(", b)\npri")


def test_a_fill_of_one_line_has_no_line_break() -> None:
    text = "pair = union([number(), string()])\nother = un$0(), text()])\n"
    assert joined(text, ['"'], max_lines=1) == ["ion([number"]


def test_a_text_that_says_nothing_twice_has_no_halves() -> None:
    assert joined("$0") == joined("a = $0") == []
