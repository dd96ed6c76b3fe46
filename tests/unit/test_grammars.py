"""The gate's promises, on any text; what it says of particular fills is in `golden/faults/`."""

import ast
import os
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_sitter import Language as Grammar
from tree_sitter import Parser, Tree

from grammars import Gate, Language, language_for
from grammars.gate import WHOLE_FILE_BYTES
from grammars.languages import LANGUAGES
from grammars.syntax import EditedText
from grammars.trees import Trees, common_prefix, common_suffix
from grammars.window import NEAR, window_around

SOURCE = Path(ast.__file__).read_bytes()[:20_000].rpartition(b"\n\n\n")[0] + b"\n"
PIECES = (
    'def f():|if x:|\n|\n    |\n\n|x| = |1|(|)|[|]|{|}|\'|"""|`|,|;|//|/*|#if A\n|<|>|</a>|@|=>'
    "|const |func |fn |class A |return|\r\n|\t|\f"
)
CODE = st.lists(
    st.sampled_from(PIECES.encode().split(b"|")) | st.binary(max_size=4), max_size=30
).map(b"".join)


EXAMPLES = int(os.environ.get("SFUMATO_EXAMPLES", "15"))
"""Generated cases for each language and property; `make fuzz` has a hundred thousand in all."""
MOST_REPAIRS = 5
"""Ways to mend a buffer that are tried at most: two by brackets, one for each stub of a line."""
INSTALLED = [one for one in LANGUAGES if language_for(one.lsp_ids[0])]


def python() -> Language:
    language = language_for("python")
    assert language
    return language


def tree_is_sound(language: Language, text: bytes) -> bool:
    return not Parser(language.grammar).parse(text).root_node.has_error


@pytest.mark.parametrize("language", INSTALLED, ids=lambda language: language.id)
@settings(max_examples=EXAMPLES, deadline=None)
@given(before=CODE, hole=CODE, after=CODE, fill=CODE)
def test_every_byte_string_gets_an_answer(
    language: Language, before: bytes, hole: bytes, after: bytes, fill: bytes
) -> None:
    gate = Gate(language, before + hole + after, len(before), len(before) + len(hole))
    for fault in gate.faults(fill):
        assert 0 <= fault.start <= fault.end <= len(fill)
    head = gate.longest_sound_prefix(fill)
    assert fill.startswith(head)
    assert not head or not gate.faults(head)
    gate.confirm(fill)


@pytest.mark.parametrize("language", INSTALLED, ids=lambda language: language.id)
@settings(max_examples=EXAMPLES, deadline=None)
@given(before=CODE, after=CODE, fill=CODE)
def test_a_sound_buffer_stays_sound(
    language: Language, before: bytes, after: bytes, fill: bytes
) -> None:
    gate = Gate(language, before + after, len(before), len(before))
    if tree_is_sound(language, before + after) and gate.confirm(fill):
        assert tree_is_sound(language, before + fill + after)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_the_gate_accepts_in_real_python_cpython_accepts(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SOURCE)))
    end = min(len(SOURCE), start + data.draw(st.integers(0, 80)))
    fill = data.draw(CODE)
    gate = Gate(python(), SOURCE, start, end)
    left_open = SOURCE[:start] + SOURCE[end:]
    if is_python(left_open) and gate.confirm(fill):
        assert is_python(SOURCE[:start] + fill + SOURCE[end:])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_real_code_is_put_back_without_faults(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SOURCE)))
    end = min(len(SOURCE), start + data.draw(st.integers(0, 200)))
    gate = Gate(python(), SOURCE[:start] + b"??" + SOURCE[end:], start, start + 2)
    assert gate.faults(SOURCE[start:end]) == ()
    assert gate.confirm(SOURCE[start:end])


def is_python(text: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning made an error is no fault of the text
        try:
            ast.parse(text)
        except (SyntaxError, ValueError):
            return False
    return True


def test_an_edited_tree_is_the_tree_of_the_text() -> None:
    at = SOURCE.index(b"return")
    edited = EditedText(python().grammar, SOURCE, at, at)
    for fill in (b"x = 1\n    ", b"", b"yield\n    yield; "):
        tree, source = edited.fill(fill)
        fresh = Parser(python().grammar).parse(source)
        assert source == SOURCE[:at] + fill + SOURCE[at:]
        assert str(tree.root_node) == str(fresh.root_node)
        assert tree.root_node.end_point == fresh.root_node.end_point


def test_in_a_broken_buffer_no_fault_starts_in_the_fill_and_none_is_added() -> None:
    text = b"def f(:\n    return \n"
    gate = Gate(python(), text, len(text) - 1, len(text) - 1)
    assert gate.faults(b"a + b") == ()
    assert gate.faults(b"a + ]")


def test_a_character_cut_in_two_is_a_fault() -> None:
    gate = Gate(python(), b"name = ''\n", 8, 8)
    assert gate.faults("é".encode()) == ()
    assert [fault.kind for fault in gate.faults("é".encode()[:1])] == ["encoding"]


def test_the_file_overrules_its_window() -> None:
    """A string with blank lines and code in column 0 misleads the cut of the window."""
    text = b'page = """\n\nlet a = (\n\n' + b"let b = 1\n\n" * 3 + b'""" + $\n\nprint(page)\n'
    at = text.index(b"$")
    gate = Gate(python(), text, at, at + 1)
    assert gate.confirm(b"tail")
    assert gate.faults(b"tail") == ()
    assert gate.faults(b"tail)")


def test_the_file_overrules_a_window_that_a_stub_would_make_sound() -> None:
    """The window begins with the end of a docstring, as if a string were being opened."""
    text = b'"""A module.\n\nOf prose.\n\n"""\n\nimport ast\n$\nimport sys\n' + b"\nx = 1\n" * 40
    at = text.index(b"$")
    gate = Gate(python(), text, at, at + 1)
    assert gate.faults(b"import os") == ()
    assert gate.faults(b"import (")


def test_the_window_is_whole_items_around_the_hole() -> None:
    items = [b"@cache\ndef f%d():\n    return %d\n" % (n, n) for n in range(9)]
    text = b"\n".join(items)
    hole = text.index(b"return 4") + 7
    first, last = window_around(text, hole, hole + 1)
    assert text[first:last].rstrip() == b"\n".join(items[3:6]).rstrip()


def test_the_window_stays_inside_a_namespace() -> None:
    text = b"namespace n {\n\nint f() {\n  return 1;\n}\n\n} // namespace n\n"
    hole = text.index(b"1;")
    first, last = window_around(text, hole, hole + 1)
    assert text[first:last].strip() == b"int f() {\n  return 1;\n}"


@pytest.mark.parametrize("line", [b"x = 1\n", b"x = 1;"], ids=["many lines", "one line"])
def test_a_window_is_bounded(line: bytes) -> None:
    text = line * 50_000
    hole = len(text) // 2
    first, last = window_around(text, hole, hole)
    assert hole - NEAR <= first <= hole <= last <= hole + NEAR


def test_a_text_too_long_to_parse_whole_is_judged_in_its_window() -> None:
    text = b"x = 1\n\n" * (WHOLE_FILE_BYTES // 7) + b"\ny = (\n"
    gate = Gate(python(), text, 0, 0)
    assert gate.confirm(b"import os\n")
    assert not gate.confirm(b"import (\n")


def test_faults_clipped_to_the_same_place_are_one() -> None:
    text = b"x = [{(" * 2000
    gate = Gate(python(), text, len(text), len(text))
    found = gate.faults(b"1, 2")
    assert found
    assert len(found) == len(set(found))
    assert not gate.confirm(b"1, 2")


@settings(max_examples=60, deadline=None)
@given(st.lists(CODE, min_size=2, max_size=6))
def test_a_tree_made_from_an_older_one_is_that_of_the_text(versions: list[bytes]) -> None:
    trees = Trees()
    for text in (SOURCE[:2000] + version + SOURCE[2000:4000] for version in versions):
        kept = trees.parse(python().grammar, text)
        fresh = Parser(python().grammar).parse(text)
        assert kept.root_node.end_point == fresh.root_node.end_point
        if not fresh.root_node.has_error:
            assert str(kept.root_node) == str(fresh.root_node)


@pytest.mark.parametrize(
    ("one", "two", "head", "tail"),
    [(b"", b"a", 0, 0), (b"abc", b"abd", 2, 0), (b"aa", b"aaa", 2, 2), (b"xbc", b"bc", 0, 2)],
)
def test_what_two_texts_have_in_common(one: bytes, two: bytes, head: int, tail: int) -> None:
    assert common_prefix(one, two) == head
    assert common_suffix(one, two) == tail


@pytest.mark.parametrize(
    ("language_id", "before", "after", "kept", "refused"),
    [
        (
            "javascript",
            b"function f(a) {\n  return g(",
            b"",
            [b"a);", b"a);\n}"],
            [b"a]);", b"a b"],
        ),
        ("javascript", b"f(1 +);\nlet a = g(", b"\nf(2);\n", [b"1);"], [b"1];", b"1"]),
        ("python", b"x = [1, 2\n\ndef f(a):\n    y = ", b"\n", [b"a + 1"], [b"a + ", b"a)"]),
        ("go", b"package p\n\nfunc f() {\n\tg(", b"", [b"1)", b"1)\n}"], [b"1, )]", b"1"]),
    ],
)
def test_a_broken_buffer_is_judged_as_it_would_be_mended(
    language_id: str, before: bytes, after: bytes, kept: list[bytes], refused: list[bytes]
) -> None:
    language = language_for(language_id)
    assert language
    gate = Gate(language, before + after, len(before), len(before))
    assert not gate.strict
    assert [fill for fill in kept if not gate.confirm(fill)] == []
    assert [fill for fill in refused if gate.confirm(fill)] == []


@pytest.mark.parametrize(
    ("language_id", "before", "after", "form"),
    [
        ("javascript", b"let n = each(a)\n    ", b"\n    .size();\n", b".each()"),
        ("rust", b"struct Each {\n    a: u8,\n    ", b"\n}\n", b"each: each,"),
        ("go", b"package p\n\n", b"\n\treturn 1\n}\n", b"func each() {"),
    ],
)
def test_a_form_that_takes_a_name_fits(
    language_id: str, before: bytes, after: bytes, form: bytes
) -> None:
    language = language_for(language_id)
    assert language
    gate = Gate(language, before + after, len(before), len(before))
    assert form in [found for found in gate.named(b"each") if not gate.faults(found)]


def test_past_the_deadline_no_head_is_tried_and_the_buffer_counts_as_sound() -> None:
    text = b"def f(:\n    return \n"
    at = len(text) - 1
    late, early = Gate(python(), text, at, at, deadline=0.0), Gate(python(), text, at, at)
    assert (early.faults(b"a + b"), early.longest_sound_prefix(b"a ) b")) == ((), b"a")
    assert late.faults(b"a + b")
    assert late.longest_sound_prefix(b"a ) b") == b""


ADVERSARIAL = {
    "nested": b"(" * 20_000,
    "closed": b"}" * 20_000,
    "one line": b"x = [1, 2]; " * 90_000,
    "nulls": b"\0" * 5_000,
    "quotes": b"\"'`" * 5_000,
    "mixed": b'<script>def f(:\\n#if {\\n""" </a> `${' * 2_000,
    "not UTF-8": b"\xff\xfe" * 5_000,
}


class CountedParser:
    """A parser that counts what it is given."""

    parses = 0
    longest = 0
    anew = 0

    def __init__(self, grammar: Grammar) -> None:
        self._parser = Parser(grammar)

    def parse(self, source: bytes, old_tree: Tree | None = None) -> Tree:
        CountedParser.parses += 1
        CountedParser.longest = max(CountedParser.longest, len(source))
        CountedParser.anew += old_tree is None
        return self._parser.parse(source, old_tree) if old_tree else self._parser.parse(source)


def test_a_file_and_its_windows_keep_their_trees_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grammars.trees.Parser", CountedParser)
    trees, grammar = Trees(), python().grammar
    CountedParser.anew = 0
    for typed in (b"", b"q", b"qu", b"que"):
        trees.parse(grammar, b"import this\n" + typed)
        trees.parse(grammar, SOURCE[:2000] + typed + SOURCE[2000:])
    assert CountedParser.anew == 2


@pytest.mark.parametrize("text", ADVERSARIAL.values(), ids=ADVERSARIAL)
@pytest.mark.parametrize("language_id", ["python", "javascript", "cpp"])
def test_a_hostile_text_gets_an_answer_and_the_next_one_its_own(
    language_id: str, text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In so many parses of so many bytes, which is what bounds time and memory."""
    language = language_for(language_id)
    assert language
    for module in ("syntax", "trees"):
        monkeypatch.setattr(f"grammars.{module}.Parser", CountedParser)
    CountedParser.parses = CountedParser.longest = 0
    middle = len(text) // 2
    gate = Gate(language, text, middle, middle)
    gate.confirm(b"a")
    assert gate.longest_sound_prefix(b"\xff") == b""
    stubs = len(language.stubs) + len(language.fills)
    assert CountedParser.parses <= 2 * (MOST_REPAIRS + 1) * (stubs + 4)
    assert CountedParser.longest <= 2 * WHOLE_FILE_BYTES
    sound = Gate(language, b"a = f(1);\n", 6, 7)
    assert sound.confirm(b"2")
    assert not sound.confirm(b"2)")


def test_where_a_text_is_broken_elsewhere_a_sound_fill_is_not_held_against_mended_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    language = language_for("c")
    assert language
    before = b"int f(int a { return a; }\n\nint g(int b) {\n    return "
    gate = Gate(language, before + b";\n}\n", len(before), len(before))
    assert not gate.strict
    monkeypatch.setattr("grammars.syntax.Parser", CountedParser)
    fresh = Gate(language, before + b";\n}\n", len(before), len(before))
    assert not fresh.strict
    CountedParser.parses = 0
    assert fresh.faults(b"b + 1") == ()
    assert CountedParser.parses == 1
    assert fresh.faults(b"b + ")


@pytest.mark.parametrize(
    ("before", "after", "fill", "kept"),
    [
        (b"class A:\n    def f(self) ", b"\n\n\nx = 1\n", b"-> None:", True),
        (b"if a not in ", b"\n", b"b:", True),
        (b"if a:\n    b()\nel", b"\n", b"se:", True),
        (b"if a:\n    b()\n", b"\n", b"else:", False),
        (b"if a not in ", b"\n", b"b::", False),
        (b"x = {a", b"\n", b":", False),
        (b"if a", b"\n    b()\n", b":", True),
        (b"a = b", b"\n", b":", False),
    ],
)
def test_the_head_of_a_block_that_was_begun_may_be_ended(
    before: bytes, after: bytes, fill: bytes, kept: bool
) -> None:
    gate = Gate(python(), before + after, len(before), len(before))
    assert (gate.faults(fill) == ()) == kept
    assert gate.confirm(fill) == kept


@pytest.mark.parametrize(
    ("language", "before", "after", "fill", "kept"),
    [
        ("java", b"class A {\n  void f() {\n    g(", b")\n  }\n}\n", b"1, h(2)", True),
        ("java", b"class A {\n  void f() {\n    g(", b")\n  }\n}\n", b"1, h(2", False),
        ("java", b"class A {\n  void f() {\n    g(", b")\n  }\n}\n", b"int", False),
        ("java", b"class A {\n  void f() {\n    if (", b")\n  }\n}\n", b"a == b", True),
        ("java", b"class A {\n  void f() {\n    g(", b") 1\n  }\n}\n", b"2", False),
        ("python", b"if f(", b")\n", b"1", True),
        ("python", b"if f(", b")\n    g()\n", b"1", True),
        ("python", b"if f(", b")\n", b"1 1", False),
        ("python", b"a = [\n    f(", b")\n    f(2),\n]\n", b"1", True),
        ("rust", b"fn f() {\n    let a = g(", b")\n    h();\n}\n", b"1", True),
        ("go", b"package p\n\nfunc f() {\n\tif g(", b")\n}\n", b"1", True),
        ("javascript", b"import {", b"}\n", b"a, b", True),
        ("c", b'int f(void) {\n  puts("', b'")\n}\n', b"a;", True),
        ("c", b'int f(void) {\n  puts("', b'")\n}\n', b'a"', False),
    ],
)
def test_behind_what_closes_a_bracket_a_line_may_lack_its_end(
    language: str, before: bytes, after: bytes, fill: bytes, kept: bool
) -> None:
    found = language_for(language)
    assert found
    gate = Gate(found, before + after, len(before), len(before))
    assert (gate.faults(fill) == ()) == kept
    assert gate.confirm(fill) == kept
