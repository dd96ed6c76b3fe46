"""The language server as a process, driven over stdio by an editor that checks its own buffer."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fake_editor import CLIENTS, FakeEditor, initialize_params
from tests.support.scripted_server import digest, launch

ENCODINGS = ("utf-8", "utf-16", "utf-32")

Start = Callable[..., FakeEditor]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts editors; each is closed, with its checks, when the test is over."""
    with ExitStack() as editors:
        yield lambda *args, **script: editors.enter_context(launch(tmp_path, *args, **script))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeEditor]:
    """One editor for many tests; its engine fills every hole with "filled"."""
    with launch(tmp_path_factory.mktemp("plain"), fill="filled") as editor:
        editor.status("idle")
        yield editor


def test_a_suggestion_is_accepted_into_the_buffer(start: Start) -> None:
    editor = start(fill="turn x")
    editor.status("idle")
    editor.open("def f(x):\n    re$0\n")
    ghost = editor.ghost()
    assert ghost is not None
    assert ghost["insertText"] == "return x"
    assert ghost["range"] == {
        "start": {"line": 1, "character": 4},
        "end": {"line": 1, "character": 6},
    }
    editor.accept(ghost)
    assert editor.buffer == "def f(x):\n    return x\n"


def test_a_block_of_several_lines_keeps_the_line_ends_of_the_file(start: Start) -> None:
    editor = start(fill="if x:\n        return 1\n    return 2")
    editor.status("idle")
    editor.open("def f(x):\r\n    $0\r\n")
    ghost = editor.ghost()
    assert ghost is not None
    editor.accept(ghost)
    expected = "def f(x):\r\n    if x:\r\n        return 1\r\n    return 2\r\n"
    assert editor.buffer == expected


@pytest.mark.parametrize("client", ["coc", "emacs", "helix", "nvim", "vscode"])
def test_every_editor_is_offered_inline_completion(start: Start, client: str) -> None:
    params = json.loads((CLIENTS / f"{client}.json").read_text())
    editor = start(params, fill="filled")
    capabilities = editor.server["capabilities"]
    assert capabilities["inlineCompletionProvider"] == {}
    assert capabilities["textDocumentSync"]["openClose"] is True
    assert capabilities["textDocumentSync"]["change"] == 2
    offered = params["capabilities"]["general"]["positionEncodings"]
    assert capabilities["positionEncoding"] == offered[0]
    editor.status("idle")
    editor.notify("workspace/didChangeConfiguration", {"settings": {"deadline_ms": 10_000}})
    editor.open("x = $0\n")
    ghost = editor.ghost(invoked=True)
    assert ghost is not None
    assert ghost["insertText"] == "filled"


def test_typing_through_a_suggestion_asks_the_engine_once(start: Start) -> None:
    editor = start(fill="compute(a, b)")
    editor.status("idle")
    editor.open("x = $0\n")
    assert editor.ghost() is not None
    editor.status("idle")
    editor.type("comp")
    ghost = editor.ghost()
    assert ghost is not None
    assert ghost["insertText"] == "compute(a, b)"
    assert ghost["range"]["start"] == {"line": 0, "character": 4}
    editor.accept(ghost)
    assert editor.buffer == "x = compute(a, b)\n"
    assert editor.ghost() is not None  # used up: the engine is asked again
    assert editor.status("busy")


def test_cancel_is_answered_and_stops_the_engine(start: Start) -> None:
    editor = start(hold=True)
    editor.status("idle")
    editor.open("x = $0\n")
    number = editor.ask(invoked=True)
    editor.status("busy")
    editor.cancel(number)
    assert editor.reply(number) is None
    editor.status("idle")


def test_only_the_newest_request_is_served(start: Start) -> None:
    editor = start(hold=True)
    editor.status("idle")
    editor.open("x = $0\n")
    first = editor.ask(invoked=True)
    editor.status("busy")
    editor.type("y")
    second = editor.ask(invoked=True)
    assert editor.reply(first) is None
    editor.status("idle")
    editor.status("busy")
    editor.cancel(second)
    assert editor.reply(second) is None


def test_a_request_that_wants_nothing_supersedes_too(start: Start) -> None:
    editor = start(hold=True)
    editor.status("idle")
    editor.open("x = $0\ny = 12\n")
    first = editor.ask(invoked=True)
    editor.status("busy")
    editor.move("y = 1")
    assert editor.ghost() is None
    assert editor.reply(first) is None
    editor.status("idle")


def test_an_engine_that_does_not_answer_in_time_means_nothing(start: Start) -> None:
    editor = start(initialize_params(deadline_ms=350), hold=True)
    editor.status("idle")
    editor.open("x = $0\n")
    assert editor.ghost(invoked=True) is None


def test_without_an_engine_it_stays_up_says_why_and_tries_again(start: Start) -> None:
    editor = start(down="The checkpoint in weights is damaged; install it again.", fill="late")
    status = editor.status("error")
    assert status["message"] == "The checkpoint in weights is damaged; install it again."
    editor.open("x = $0\n")
    assert editor.ghost(invoked=True) is None
    assert editor.status("idle")["model"] == "scripted"
    ghost = editor.ghost(invoked=True)
    assert ghost is not None
    assert ghost["insertText"] == "late"


def test_a_folder_named_engine_in_the_workspace_is_not_imported(
    start: Start, tmp_path: Path
) -> None:
    hostile = tmp_path / "engine"
    hostile.mkdir()
    (hostile / "__init__.py").write_text("raise SystemExit('the hostile engine ran')\n")
    editor = start(fill="filled")
    editor.status("idle")
    assert "hostile" not in editor.log


def test_settings_turn_it_off_and_on(start: Start) -> None:
    editor = start(initialize_params(enabled=False), fill="filled")
    assert editor.status("off")["message"]
    editor.open("x = $0\n")
    assert editor.ghost(invoked=True) is None
    editor.notify("workspace/didChangeConfiguration", {"settings": {"sfumato": {"enabled": True}}})
    editor.status("idle")
    assert editor.ghost(invoked=True) is not None


@pytest.mark.parametrize(
    ("text", "language", "uri"),
    [
        ("$0", "python", "untitled:Untitled-1"),
        ("x = $0\n", "klingon", "file:///ws/a.klingon"),
        ("x = $0\n", "python", "vscode-notebook-cell:/ws/a%20b.ipynb#W0sZmlsZQ%3D%3D"),
        ("x = 1\n" * 25_000 + "y = $0\n" + "x = 1\n" * 25_000, "python", "file:///ws/long.py"),
        ("#" + "a" * 1_000_000 + "\ny = $0\n", "python", "file:///ws/wide.py"),
    ],
    ids=["empty untitled", "unknown language", "odd uri", "50,000 lines", "1 MB line above"],
)
def test_odd_documents_get_suggestions(
    plain: FakeEditor, text: str, language: str, uri: str
) -> None:
    plain.open(text, language, uri)
    ghost = plain.ghost(invoked=True)
    assert ghost is not None
    assert ghost["insertText"] == "filled"


def test_it_holds_little_memory_however_often_a_file_is_opened(plain: FakeEditor) -> None:
    for _ in range(20):
        plain.open("x = $0\n" + "y = 1\n" * 20_000)
        assert plain.ghost(invoked=True) is not None
        plain.notify("textDocument/didClose", {"textDocument": {"uri": plain.uri}})
    assert plain.server_mb < 150


def test_a_line_of_a_megabyte_gets_none(plain: FakeEditor) -> None:
    plain.open(" " * 1_000_000 + "x$0y")
    assert plain.ghost() is None
    assert plain.ghost(invoked=True) is None


def test_a_position_beyond_the_end_is_the_end(plain: FakeEditor) -> None:
    plain.open("x = ")
    params = {
        "textDocument": {"uri": plain.uri},
        "position": {"line": 99, "character": 99},
        "context": {"triggerKind": 1},
    }
    items = plain.reply(plain.request("textDocument/inlineCompletion", params))
    assert items[0]["range"]["start"] == {"line": 0, "character": 4}


def test_a_request_of_a_wrong_shape_is_refused(plain: FakeEditor) -> None:
    number = plain.request("textDocument/inlineCompletion", {"position": "here"})
    assert plain.refusal(number)["code"] == -32602


def test_a_popup_entry_is_extended_in_its_own_range(plain: FakeEditor) -> None:
    plain.open("x.clo$0\n")
    span = {"start": {"line": 0, "character": 2}, "end": {"line": 0, "character": 5}}
    context = {"triggerKind": 2, "selectedCompletionInfo": {"range": span, "text": "close"}}
    params = {
        "textDocument": {"uri": plain.uri},
        "position": {"line": 0, "character": 5},
        "context": context,
    }
    items = plain.reply(plain.request("textDocument/inlineCompletion", params))
    assert [(item["insertText"], item["range"]) for item in items] == [("closefilled", span)]


TEXTS = st.text(alphabet="ab \t\n\r\f\x0b\x85\u2028\u2029é漢𝄞", max_size=12)


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_the_server_holds_the_text_that_the_editor_holds(
    shared: dict[str, FakeEditor], encoding: str, data: st.DataObject
) -> None:
    editor = shared[encoding]
    editor.open(data.draw(TEXTS))
    for _ in range(data.draw(st.integers(1, 8))):
        first, last = sorted(data.draw(st.integers(0, len(editor.buffer))) for _ in "ab")
        first, last = _nameable(editor.buffer, first), _nameable(editor.buffer, last)
        editor.edit(first, last, data.draw(TEXTS))
    editor.cursor = _nameable(editor.buffer, editor.cursor)
    ghost = editor.ghost(invoked=True)
    assert ghost is not None
    held = editor.buffer.replace("\r\n", "\n").replace("\r", "\n")
    assert ghost["insertText"].endswith(digest(held.encode()))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, FakeEditor]]:
    """One editor for each encoding, whose engine tells what text it was sent."""
    with ExitStack() as editors:
        by_encoding: dict[str, FakeEditor] = {}
        for encoding in ENCODINGS:
            folder = tmp_path_factory.mktemp(encoding)
            editor = launch(folder, initialize_params(encoding), echo=True)
            by_encoding[encoding] = editors.enter_context(editor)
            editor.status("idle")
        yield by_encoding


def _nameable(text: str, index: int) -> int:
    """The index, moved off the middle of a \\r\\n, which LSP cannot name."""
    return index - 1 if text[max(0, index - 1) : index + 1] == "\r\n" else index
