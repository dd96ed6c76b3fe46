"""The one item that is shown. What it does to a document is in `tests/golden/render.md`."""

import pytest
from lsprotocol.types import Position, Range, SelectedCompletionInfo, TextEdit

from lsp_server.positions import Encoding
from lsp_server.render import item, popup
from tests.support.sites import site_at


@pytest.mark.parametrize(
    ("text", "fill", "start", "end", "inserted"),
    [
        ("x = $0", "f()", 4, 4, "f()"),
        ("x = fo$0", "o()", 4, 6, "foo()"),
        ("x = a.fo$0", "o()", 6, 8, "foo()"),
        ("    $0", "pass", 0, 4, "    pass"),
        ("    re$0", "turn", 4, 6, "return"),
        ("x = größ$0", "e", 4, 8, "größe"),
        ("'𝄞' + fo$0", "o", 7, 9, "foo"),
        ("f($0)", "x)", 2, 2, "x"),
        ("f($0)", "g(x))", 2, 2, "g(x)"),
        ("f($0)", "x)\ng(y)", 2, 3, "x)\ng(y)"),
        ("if f(fo$0)", "o):", 5, 8, "foo):"),
        ("f($0) + b", "x", 2, 2, "x"),
        ("    $0  ", "if x:\n        y", 0, 6, "    if x:\n        y"),
        ("    $0  ", "pass", 0, 4, "    pass"),
    ],
)
def test_the_range_holds_the_word_begun(
    text: str, fill: str, start: int, end: int, inserted: str
) -> None:
    suggestion = item(fill, site_at(text), None, Encoding.Utf16, number=1)
    assert suggestion.insert_text == inserted
    assert suggestion.range == Range(Position(0, start), Position(0, end))


def test_a_popup_entry_keeps_its_range_and_is_extended() -> None:
    span = Range(Position(0, 2), Position(0, 5))
    selected = SelectedCompletionInfo(span, "close")
    suggestion = item("()", site_at("x.close$0"), selected, Encoding.Utf16, number=1)
    assert suggestion.range == span
    assert suggestion.insert_text == "close()"


def test_an_entry_of_the_menu_is_honest_and_last() -> None:
    entry = popup("nt(values)\nreturn 1", site_at("    x.cou$0"), Encoding.Utf16, number=7)
    assert entry.label == "count(values)"
    assert entry.documentation == "count(values)\nreturn 1"
    assert entry.filter_text == "cou"
    assert entry.sort_text is not None
    assert entry.sort_text > "zzzz"
    assert entry.detail == "Sfumato"
    edit = entry.text_edit
    assert isinstance(edit, TextEdit)
    assert edit.range == Range(Position(0, 6), Position(0, 9))
    assert edit.new_text == "count(values)\nreturn 1"
