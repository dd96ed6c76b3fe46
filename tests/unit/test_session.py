"""The text store follows what a client says."""

from lsprotocol import types

from lsp_server.positions import Encoding
from lsp_server.session import Session

URI = "file:///ws/a.py"


def opened(text: str, encoding: Encoding = Encoding.Utf16) -> Session:
    session = Session(encoding)
    session.open(types.TextDocumentItem(URI, "python", 1, text))
    return session


def change(session: Session, *changes: types.TextDocumentContentChangeEvent) -> None:
    session.change(types.VersionedTextDocumentIdentifier(2, URI), changes)


def part(
    start: tuple[int, int], end: tuple[int, int], text: str
) -> types.TextDocumentContentChangePartial:
    span = types.Range(types.Position(*start), types.Position(*end))
    return types.TextDocumentContentChangePartial(span, text)


def text(session: Session) -> str:
    snapshot = session.snapshot(URI)
    assert snapshot is not None
    return b"".join(snapshot.lines).decode()


def test_an_edit_behind_a_form_feed_and_an_astral_character() -> None:
    session = opened("\fclass A:\u2028\n    '𝄞' = 1\n")
    change(session, part((1, 8), (1, 9), "=="))
    assert text(session) == "\fclass A:\u2028\n    '𝄞'=== 1\n"


def test_changes_build_on_each_other() -> None:
    session = opened("one\n")
    change(session, part((0, 3), (0, 3), "\ntwo"), part((1, 3), (1, 3), "!"))
    assert text(session) == "one\ntwo!\n"


def test_a_newline_after_a_return_joins_it() -> None:
    session = opened("a\rb")
    change(session, part((1, 0), (1, 1), "\nc"), part((1, 0), (1, 1), "d"))
    assert text(session) == "a\r\nd"


def test_a_whole_new_text() -> None:
    session = opened("one\n")
    change(session, types.TextDocumentContentChangeWholeDocument("two\n"))
    assert text(session) == "two\n"


def test_an_edit_beyond_the_end_appends() -> None:
    session = opened("one")
    change(session, part((7, 0), (9, 9), "!"))
    assert text(session) == "one!"


def test_a_backward_range_is_read_forward() -> None:
    session = opened("one two")
    change(session, part((0, 7), (0, 4), "2"))
    assert text(session) == "one 2"


def test_a_snapshot_never_changes() -> None:
    session = opened("one")
    before = session.snapshot(URI)
    assert before is not None
    change(session, part((0, 0), (0, 3), "two"))
    assert before.lines == (b"one",)
    after = session.snapshot(URI)
    assert after is not None
    assert (before.version, after.version) == (1, 2)


def test_a_closed_document_is_forgotten_and_changes_to_it_ignored() -> None:
    session = opened("one")
    session.close(URI)
    change(session, part((0, 0), (0, 0), "x"))
    assert session.snapshot(URI) is None
