"""Changes to a page: applied, made small, and moved over what was typed meanwhile."""

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.actions.page import Change, Page, changed, narrowed, rebased
from lsp_server.positions import split_lines
from lsp_server.session import Snapshot

TEXT = st.text(alphabet="ab\n\u00e9\U0001f600", max_size=20)


def page(text: str) -> Page:
    return Page.of(Snapshot("file:///a.py", "python", 1, split_lines(text.encode())))


@given(st.text(alphabet="a\u00e9\r\n\f\u2028", max_size=20))
def test_every_byte_of_a_page_has_a_place_and_back(text: str) -> None:
    read = page(text)
    assert b"\r" not in read.text
    for offset in range(len(read.text) + 1):
        assert read.offset(read.place(offset)) == offset


@given(TEXT, TEXT)
def test_a_narrowed_change_does_the_same_and_parts_no_character(old: str, new: str) -> None:
    text = b"<" + old.encode() + b">"
    whole = Change(1, len(text) - 1, new.encode())
    small = narrowed(text, whole)
    assert changed(text, [small]) == changed(text, [whole])
    for end in (text[: small.start], text[small.end :], small.text):
        end.decode()


@given(TEXT, TEXT, TEXT, st.booleans())
def test_a_change_moves_with_what_is_typed_elsewhere(
    typed: str, between: str, new: str, above: bool
) -> None:
    apart = "-" + between + "-"
    before, after = ("", apart + "old") if above else ("old" + apart, "")
    old, now = before + after, before + typed + after
    at = len(apart.encode()) if above else 0
    moved = rebased([Change(at, at + 3, new.encode())], old.encode(), now.encode())
    if moved is None:
        assert typed  # it touches: the characters around are the same
    else:
        assert changed(now.encode(), moved).decode() == now.replace("old", new, 1)


def test_a_change_is_dropped_where_its_own_place_was_edited() -> None:
    change = Change(4, 7, b"new")
    assert rebased([change], b"the old one", b"the odd one") is None
    assert rebased([change], b"the old one", b"the old one") == (change,)
    assert rebased([change], b"the old one", b"so the old one") == (Change(7, 10, b"new"),)
