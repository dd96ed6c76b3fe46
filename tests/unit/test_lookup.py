"""What similar places of a text suggest for a hole."""

from hypothesis import given
from hypothesis import strategies as st

from engine.lookup import Guess, look_up
from engine.shelves import Page
from engine.types import Span


def guessed(text: str, count: int = 3) -> list[Guess]:
    """What is looked up for the hole at `$0`."""
    before, _, after = text.partition("$0")
    at = len(before.encode())
    return look_up((before + after).encode(), Span(at, at), count)


BLOCKS = """\
if red:
    paint(red)
    done = True

if green:
    wash(green)
    done = False

if blue:
    {hole}
    done = True
"""


def test_the_place_most_alike_comes_first() -> None:
    text = "if red:\n  paint()\n  rest()\nif red:\n  wash()\n  dry()\nif red:\n  $0\n  {below}\n"
    assert guessed(text.format(below="rest()"))[0].fill == "paint()"
    assert guessed(text.format(below="dry()"))[0].fill == "wash()"


def test_a_fill_is_carried_over_to_the_words_of_the_hole() -> None:
    fills = [guess.fill for guess in guessed(BLOCKS.format(hole="$0"))]
    assert fills[0] == "paint(blue)"
    assert "paint(red)" in [guess.fill for guess in guessed(BLOCKS.format(hole="$0"), count=9)]


def test_the_likeliest_guess_comes_first() -> None:
    odds = [guess.odds for guess in guessed(BLOCKS.format(hole="$0"))]
    assert odds == sorted(odds, reverse=True)


def test_a_longer_repeat_is_likelier() -> None:
    text = "if not ready:\n    wait(1)\nif ready:\n    go(2)\nif not ready:\n    $0\n"
    assert guessed(text)[0].fill == "wait(1)"


def test_what_follows_the_hole_has_a_say() -> None:
    text = "a()\nb()\nc()\na()\nx()\ny()\na()\n$0\n{below}()\n"
    assert guessed(text.format(below="c"))[0].fill == "b()"
    assert guessed(text.format(below="y"))[0].fill == "x()"


def test_the_middle_of_a_line_is_looked_up_wherever_it_stands() -> None:
    text = "first = compute(seed, 42)\nsecond = 1 + compute($0\n"
    assert guessed(text)[0].fill == "seed, 42)"


def test_a_fill_ends_where_the_rest_of_the_line_begins() -> None:
    text = "if compute(seed(1), 42):\n    go()\nelse:\n    x = {typed}$0{rest}\n"
    assert guessed(text.format(typed="compute(", rest=")"))[0].fill == "seed(1), 42"
    assert guessed(text.format(typed="compute(seed(", rest="))"))[0].fill == "1"
    assert guessed(text.format(typed="compute(", rest=", 7)"))[0].fill == "seed(1)"
    assert guessed(text.format(typed="compute(", rest="]")) == []
    quoted = "log('all (done)', 1)\nlog('$0')\n"
    assert guessed(quoted)[0].fill == "all (done)"


def test_indentation_does_not_matter() -> None:
    text = "if a:\n    step(1)\n    step(2)\n\nwhile b:\n        step(1)\n        $0\n"
    assert guessed(text)[0].fill == "step(2)"


def test_an_import_is_not_made_twice() -> None:
    headers = "#include <a.h>\n#include <b.h>\n#include $0\nint a;\n"
    assert guessed(headers) == []
    shelf = Page.of(b"#include <b.h>\n#include <c.h>\n")
    at = headers.index("$0")
    found = look_up(headers.replace("$0", "").encode(), Span(at, at), 3, [shelf])
    assert [guess.fill for guess in found] == ["<c.h>"]
    local = "def f():\n    import os\n    go()\n\ndef g():\n    import $0\n    go()\n"
    assert guessed(local)[0].fill == "os"


def test_other_texts_are_looked_in() -> None:
    text = b"import os\nroot = os."
    shelf = Page.of(b"import os\n\nroot = os.path.dirname(here)\n")
    found = look_up(text, Span(len(text), len(text)), 3, [shelf])
    assert found[0].fill == "path.dirname(here)"
    assert found[0].fill not in [guess.fill for guess in look_up(text, Span(21, 21), 3)]


def test_nothing_is_found_across_the_end_of_a_text() -> None:
    shelf = Page.of(b"one()", b"two()")
    assert look_up(b"one()\n", Span(6, 6), 3, [shelf]) == []


def test_what_is_typed_has_to_agree() -> None:
    fills = [guess.fill for guess in guessed(BLOCKS.format(hole="wa$0"))]
    assert fills == ["sh(blue)", "sh(green)"]
    assert guessed(BLOCKS.format(hole="zebra$0")) == []


def test_what_follows_on_the_line_is_not_repeated() -> None:
    fills = [guess.fill for guess in guessed(BLOCKS.format(hole="paint($0)"))]
    assert fills == ["blue", "red"]


def test_places_below_count_too() -> None:
    text = "if blue:\n    $0\n    done = True\n\nif red:\n    paint()\n    done = True\n"
    assert guessed(text)[0].fill == "paint()"


def test_a_fill_is_offered_once_however_often_it_stands_there() -> None:
    text = "a = 1\nb = 2\n" * 9 + "a = 1\n$0\n"
    fills = [guess.fill for guess in guessed(text)]
    assert len(fills) == len(set(fills))
    assert fills[0] == "b = 2"


def test_huge_lines_are_passed_over() -> None:
    huge = "x = [" + "1, " * 100_000 + "]"
    assert guessed(f"y\n{huge}\ny\n{huge}\ny\n{huge}$0\n") == []
    assert huge not in [guess.fill for guess in guessed(f"a = 1\n{huge}\na = 1\n$0\n")]


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_is_taken(before: str, after: str) -> None:
    at = len(before.encode())
    for guess in look_up((before + after).encode(), Span(at, at), 3):
        assert guess.fill
        assert "\n" not in guess.fill


@given(st.text("ab\n \t", max_size=60), st.text("ab\n \t", max_size=60), st.integers(2, 5))
def test_a_fill_has_no_more_lines_than_it_may(before: str, after: str, lines: int) -> None:
    at = len(before)
    text = (before + after).encode()
    for guess in look_up(text, Span(at, at), 3, max_lines=lines):
        assert len([line for line in guess.fill.split("\n") if line.strip()]) <= lines


SEVERAL = """\
def one(a):
    if a:
        log(a)

        return a
    return None


def two(b):
    if b:
        {hole}
    return None
"""


def several(text: str, count: int = 9) -> list[str]:
    """What is looked up for the hole at `$0`, which may have several lines."""
    before, _, after = text.partition("$0")
    at = len(before.encode())
    found = look_up((before + after).encode(), Span(at, at), count, max_lines=10)
    return [guess.fill for guess in found]


def test_lines_are_filled_up_to_where_the_text_goes_on_as_below_the_hole() -> None:
    assert "log(b)\n\n        return b" in several(SEVERAL.format(hole="$0"))


def test_several_lines_keep_their_shape_at_the_indentation_of_the_hole() -> None:
    text = "for x in y:\n  go(x)\n  if x:\n    stop(x)\nend()\n"
    deeper = "      for x in y:\n        $0\n      end()\n"
    assert "go(x)\n        if x:\n          stop(x)" in several(text + deeper)


def test_a_block_begins_behind_its_head() -> None:
    text = "if ready:\n    go()\n    wait()\nend()\n\nif ready:$0\nend()\n"
    assert several(text)[0] == "\n    go()\n    wait()"


def test_within_one_line_no_fill_has_several() -> None:
    assert all("\n" not in guess.fill for guess in guessed(SEVERAL.format(hole="$0"), count=9))


def test_line_breaks_are_those_of_the_text() -> None:
    text = SEVERAL.format(hole="$0").replace("\n", "\r\n")
    assert "log(b)\r\n\r\n        return b" in several(text)
