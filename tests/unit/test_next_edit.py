"""Where else the last edit belongs, told by the text after it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from engine.survey import survey
from engine.types import SurveyRequest
from lsp_server.actions.history import Edit, EditHistory
from lsp_server.actions.next_edit import Renaming, places
from lsp_server.actions.page import Page, changed
from lsp_server.actions.signature import Signature, changed_signature
from lsp_server.actions.tokens import renamed, repeated, swapped
from lsp_server.session import Session

URI = "file:///a.py"


class Document:
    """One open document that is edited and has its history kept."""

    def __init__(self, text: str) -> None:
        self.session, self.history, self.version = Session(), EditHistory(), 1
        self.session.open(types.TextDocumentItem(URI, "python", 1, text))

    @property
    def text(self) -> str:
        return self.page.text.decode()

    @property
    def page(self) -> Page:
        snapshot = self.session.snapshot(URI)
        assert snapshot
        return Page.of(snapshot)

    def replace(self, start: int, end: int, new: str) -> None:
        """One change, by characters; the texts are ASCII."""
        ends = [self.page.place(start), self.page.place(end)]
        span = types.Range(*(types.Position(place.line, place.column) for place in ends))
        self.change(types.TextDocumentContentChangePartial(span, new))

    def change(self, *changes: types.TextDocumentContentChangeEvent) -> None:
        """Changes that come together."""
        self.version += 1
        before = self.session.snapshot(URI)
        self.session.change(types.VersionedTextDocumentIdentifier(self.version, URI), changes)
        after = self.session.snapshot(URI)
        assert before
        assert after
        self.history.observe(before, after, changes)

    def type_over(self, old: str, new: str) -> None:
        """Replace the first occurrence, key by key."""
        at = self.text.index(old)
        self.replace(at, at + len(old), "")
        for index, key in enumerate(new):
            self.replace(at + index, at + index, key)

    def followed(self, uses: frozenset[int] | None = None) -> str:
        """The text with the last edit made in every other place that is proposed."""
        found = places(self.page, self.edit, self.history.earlier(URI), uses)
        return changed(self.page.text, found).decode()

    @property
    def edit(self) -> Edit:
        """The last one."""
        found = self.history.last(self.page.snapshot)
        assert found
        return found

    def uses(self) -> frozenset[int] | None:
        """Where the name that was renamed stands for the same thing."""
        renaming = Renaming.of(self.page, self.edit)
        assert renaming
        found = survey(SurveyRequest(renaming.text, "python", name=renaming.at)).uses
        return None if found is None else renaming.here(found)


@pytest.mark.parametrize(
    ("text", "old", "new", "after"),
    [
        pytest.param(
            "def f(count):\n    return count + 1\n\n\ndef g(count):\n    return count\n",
            "count",
            "total",
            "def f(total):\n    return total + 1\n\n\ndef g(count):\n    return count\n",
            id="a parameter, in its function",
        ),
        pytest.param(
            "def area(r):\n    return r\n\n\nprint(area(1), areas, x.area)\n",
            "area",
            "size",
            "def size(r):\n    return r\n\n\nprint(size(1), areas, x.size)\n",
            id="a function, in the file",
        ),
        pytest.param(
            "self.n = 1\nn = 2\nprint(self.n, n)\n",
            "n ",
            "size ",
            "self.size = 1\nn = 2\nprint(self.size, n)\n",
            id="a member, where it is a member",
        ),
        pytest.param(
            "total = 1\nprint(total, f(total=2))\n",
            "total",
            "count",
            "count = 1\nprint(count, f(total=2))\n",
            id="a variable, not another function's keyword",
        ),
        pytest.param(
            "a = load(1, timeout=5)\nb = load(2, timeout=5)\nc = 5\n",
            "timeout=5",
            "timeout=30",
            "a = load(1, timeout=30)\nb = load(2, timeout=30)\nc = 5\n",
            id="a changed argument",
        ),
        pytest.param(
            "def f(a):\n    return a\n\n\nf(1)\nx = f(g(2, 3))\nf(1, 2)\n",
            "f(a)",
            "f(a, b)",
            "def f(a, b):\n    return a\n\n\nf(1, b)\nx = f(g(2, 3), b)\nf(1, 2)\n",
            id="an added parameter",
        ),
        pytest.param(
            "def f(a, b):\n    return b\n\n\nf(1, 2)\n",
            "f(a, b)",
            "f(b)",
            "def f(b):\n    return b\n\n\nf(2)\n",
            id="a parameter taken out",
        ),
        pytest.param("x = 1\ny = 1\n", "1", "2", "x = 2\ny = 1\n", id="too little to go by"),
        pytest.param(
            "if a:\n    b\nif c:\n", "if", "while", "while a:\n    b\nif c:\n", id="a word"
        ),
    ],
)
def test_the_last_edit_is_made_where_else_it_belongs(
    text: str, old: str, new: str, after: str
) -> None:
    document = Document(text)
    document.type_over(old, new)
    assert document.followed() == after


METHODS = """\
class Cart:
    def add(self, {name}, count):
        self.items[{name}] = count  # by item

    def drop(self, item):
        {drop}
"""


def test_a_name_is_followed_in_its_scope_and_no_further() -> None:
    document = Document(METHODS.format(name="item", drop="return self.take(item, item=item)"))
    document.type_over("item", "product")
    kept = METHODS.format(name="product", drop="return self.take(item, item=item)")
    assert document.followed(document.uses()) == kept.replace("# by item", "# by product")


def test_a_rename_that_was_taken_back_is_not_carried_on() -> None:
    document = Document("def f(a):\n    return a\n")
    document.type_over("a", "b")
    document.type_over("b", "a")
    assert document.history.last(document.page.snapshot) is None


def test_what_would_undo_an_earlier_edit_is_never_proposed() -> None:
    document = Document("one = 1\nprint(one)\nprint(one)\n")
    document.type_over("one", "two")
    document.type_over("print(one)", "print(two)")
    assert document.followed() == "two = 1\nprint(two)\nprint(two)\n"
    at = document.text.rindex("one")
    document.replace(at, at + 3, "two")
    document.replace(0, 3, "one")  # the user wants the first name back
    assert document.followed() == document.text


def test_what_a_program_did_to_the_file_is_not_carried_on() -> None:
    text = "def f(a,b):\n  return a\n" * 500
    document = Document(text)
    document.replace(0, len(text), text.replace(",", ", "))
    assert document.history.last(document.page.snapshot) is None
    document.type_over("f(a, b)", "f(a, c)")
    assert document.edit == Edit("def f(a, b):", "def f(a, c):", 0, 0)


def test_a_long_edit_is_looked_at_in_no_time() -> None:
    lines = "value = f(a, b) + g(c)[d]; " * 7 + "\n"
    document = Document(lines * 100)
    document.replace(0, len(lines) * 100, lines.replace(", ", ",") * 100)
    edit = document.history.last(document.page.snapshot)
    assert edit is not None
    assert places(document.page, edit, ()) == []


def test_an_edit_is_found_where_the_whole_text_was_sent() -> None:
    document = Document("one = 1\n\nprint(one)\nprint(one)\n")
    whole = document.text.replace("one = 1", "two = 1")
    document.change(types.TextDocumentContentChangeWholeDocument(whole))
    assert document.edit == Edit("one = 1", "two = 1", 0, 0)
    assert document.followed() == "two = 1\n\nprint(two)\nprint(two)\n"


def test_an_edit_beyond_the_end_is_one_at_the_end() -> None:
    document = Document("a = 1\nprint(a)")
    change = types.TextDocumentContentChangePartial(
        types.Range(types.Position(90, 0), types.Position(99, 5)), "\nprint(a, a)\n"
    )
    document.change(change)
    edit = document.history.last(document.page.snapshot)
    assert edit is not None
    assert (edit.old, edit.new) == ("print(a)", "print(a)\nprint(a, a)\n")
    assert places(document.page, edit, ()) == []


@given(st.data())
def test_proposals_leave_the_edited_lines_alone(data: st.DataObject) -> None:
    text = "aa = bb(aa, cc)\ncc = bb(aa, bb)\n\nprint(aa, bb(aa, cc))\n"
    document = Document(text)
    for _ in range(data.draw(st.integers(1, 4))):
        size = len(document.text)
        start, end = sorted((data.draw(st.integers(0, size)), data.draw(st.integers(0, size))))
        end = min(end, start + 6)
        document.replace(start, end, data.draw(st.sampled_from(["", "aa", "x", ", bb", "\n", "("])))
    edit = document.history.last(document.page.snapshot)
    if edit is None:
        return
    lines = document.text.split("\n")
    assert "\n".join(lines[edit.first : edit.last + 1]) == edit.new
    base = [*lines[: edit.first], *edit.old.split("\n"), *lines[edit.last + 1 :]]
    followed = changed(
        document.page.text, places(document.page, edit, document.history.earlier(URI))
    )
    assert edit.new in followed.decode()
    assert followed.decode() != "\n".join(base)


@pytest.mark.parametrize(
    ("old", "new", "pair"),
    [
        ("x = a + a", "x = b + b", ("a", "b")),
        ("x = a", "x = b + c", None),
        ("x = 1", "x = 2", None),
        ("count", "counter", ("count", "counter")),
    ],
)
def test_a_rename_is_told_from_other_edits(
    old: str, new: str, pair: tuple[str, str] | None
) -> None:
    assert renamed(old, new) == pair


@pytest.mark.parametrize(
    ("old", "new", "signature"),
    [
        ("def f(a):", "def f(a, b):", Signature("f", 1, "b", 1)),
        ("def f(self):", "def f(self, b: int):", Signature("f", 0, "b", 0)),
        ("def f(a):", "def f(a, b=1):", None),
        ("function f(a, b) {", "function f(b) {", Signature("f", 0, "", 2)),
        ("x = f(a)", "x = f(a, b)", None),
    ],
)
def test_a_changed_signature_is_recognised(old: str, new: str, signature: Signature | None) -> None:
    assert changed_signature(old, new) == signature


@pytest.mark.parametrize(
    ("old", "new", "line", "after"),
    [
        ("a = 1", "self.a = 1", "b = 2", "self.b = 2"),
        ("print(a)", "print(a, flush=True)", "print(b)", "print(b, flush=True)"),
        ("x = a", "x = f(a)", "y = b", "y = f(b)"),
        ("a = 1", "self.a = 1", "return 2", None),
    ],
)
def test_a_pattern_is_repeated_on_a_line_of_the_same_shape(
    old: str, new: str, line: str, after: str | None
) -> None:
    swap = swapped(old, new)
    assert swap
    assert repeated(swap, line) == after
