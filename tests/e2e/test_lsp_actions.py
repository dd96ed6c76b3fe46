"""Code actions and commands, through the server process, by what becomes of the buffer."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.fake_editor import FakeEditor, Json, Message, initialize_params, rich_params
from tests.support.scripted_server import launch

Start = Callable[..., FakeEditor]

HOLES = "def one(x):\n    ...\n\n\ndef two(x): ...\n\n\nthree = $1\n"
FILLS = {
    "one": "return 1",
    "two": "return 2",
    "three": "3",
    "return a +": " b",
    "return c +": "= = =",
    "total = ": "sum(values)",
    "f(a, b": "c=3",
    "g(a, b": "c=(3",
    "area(1": "height",
    'hello():\n    """': "Say hello.",
}
"""What the engine puts behind each of these."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts editors; each is closed, with its checks, when the test is over."""
    with ExitStack() as editors:

        def start(params: Message, **script: Json) -> FakeEditor:
            editor = editors.enter_context(launch(tmp_path, params, **script))
            editor.status("idle")
            return editor

        yield start


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeEditor]:
    """One editor for many tests, whose engine fills what FILLS says."""
    params = rich_params(hole_marker="$1")
    with launch(tmp_path_factory.mktemp("rich"), params, fills=FILLS) as editor:
        editor.status("idle")
        yield editor


@pytest.fixture
def editor(rich: FakeEditor) -> FakeEditor:
    """That editor, with nothing in its records."""
    for record in (rich.applied, rich.progress, rich.shown):
        record.clear()
    return rich


def titled(actions: list[Message], title: str) -> Message:
    """The one entry of a menu with this title."""
    (found,) = [action for action in actions if action["title"] == title]
    return found


def titles(actions: list[Message]) -> list[str]:
    return [action["title"] for action in actions]


def at(editor: FakeEditor, pattern: str) -> int:
    found = re.search(pattern, editor.buffer)
    assert found
    return found.start()


def test_a_hole_is_filled_from_the_menu(editor: FakeEditor) -> None:
    editor.open(HOLES)
    place = at(editor, r"\.\.\.")
    action = titled(editor.menu(place, place), "Fill this hole")
    assert (action["kind"], action["tags"], "edit" in action) == ("quickfix.sfumato", [1], False)
    resolved = editor.choose(action)
    assert editor.buffer == HOLES.replace("    ...", "    return 1")
    (annotation,) = resolved["edit"]["changeAnnotations"].values()
    assert annotation == {"label": "Fill this hole", "needsConfirmation": False}
    assert not editor.progress  # some clients answer nobody while they wait for the edit


def test_all_holes_are_filled_in_one_edit_of_the_document(editor: FakeEditor) -> None:
    editor.open(HOLES.replace("\n", "\r\n"))
    assert editor.command("sfumato.fillAllHoles", editor.uri) is None
    after = "def one(x):\n    return 1\n\n\ndef two(x):\n    return 2\n\n\nthree = 3\n"
    assert editor.buffer == after.replace("\n", "\r\n")
    (edit,) = editor.applied
    (document,) = edit["documentChanges"]
    assert len(document["edits"]) == 3
    assert {change["annotationId"] for change in document["edits"]} == set(
        edit["changeAnnotations"]
    )
    kinds = [value["kind"] for value in editor.progress]
    assert (kinds[0], {*kinds[1:-1]}, kinds[-1]) == ("begin", {"report"}, "end")


def test_filling_that_is_cancelled_changes_nothing(start: Start) -> None:
    editor = start(rich_params(hole_marker="$1"), hold=True)
    editor.impatient = True
    editor.open(HOLES)
    assert editor.command("sfumato.fillAllHoles", editor.uri) == "You cancelled it."
    assert (editor.buffer, editor.applied) == (HOLES, [])
    assert editor.progress[-1] == {"kind": "end"}


def test_an_editor_that_does_not_apply_an_edit_is_told_so(editor: FakeEditor) -> None:
    editor.open(HOLES)
    editor.refuses = ("workspace/applyEdit",)
    answer = editor.command("sfumato.fillAllHoles", editor.uri)
    assert answer == "The editor did not apply it: The editor has a bug."
    editor.refuses = ()


def test_an_editor_that_shows_no_progress_though_it_said_so_is_served(editor: FakeEditor) -> None:
    editor.open(HOLES)
    editor.refuses = ("window/workDoneProgress/create",)
    assert editor.command("sfumato.fillAllHoles", editor.uri) is None
    assert "return 1" in editor.buffer
    editor.refuses = ()


def test_a_plain_client_gets_commands_and_plain_edits(start: Start) -> None:
    editor = start(initialize_params(hole_marker="$1"), fills=FILLS)
    editor.open(HOLES)
    place = at(editor, r"two")
    editor.choose(titled(editor.menu(place, place), "Fill this hole"))
    assert editor.buffer == HOLES.replace(" ...\n\n\nthree", "\n    return 2\n\n\nthree")
    assert list(editor.applied[0]) == ["changes"]
    assert not editor.progress


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "wants the URI"),
        (["file:///other"], "is not open"),
        (["URI", {"line": 0, "character": 0}], "There is no hole here"),
        (["URI", "here"], "wants a position or a range"),
        (["URI", {"line": 0}], "wants a position or a range"),
        (["URI", None, "mild"], "light, medium and full"),
    ],
)
def test_a_command_that_does_nothing_says_why_in_one_sentence(
    editor: FakeEditor, arguments: list[Json], reason: str
) -> None:
    editor.open("x = 1\n")
    given = [editor.uri if argument == "URI" else argument for argument in arguments]
    answer = editor.command("sfumato.fillHole", *given)
    assert reason in answer
    assert "\n" not in answer
    assert not editor.applied


def test_a_file_that_is_turned_off_has_no_actions(start: Start) -> None:
    editor = start(rich_params(disabled_languages=["python"]), fill="1")
    editor.open("def f(): ...\n")
    assert editor.menu(0, 3) == []
    assert "turned off" in editor.command("sfumato.fillAllHoles", editor.uri)


def test_a_bracket_left_open_is_closed_and_nothing_else_changes(editor: FakeEditor) -> None:
    before = "\N{SNOWMAN} = 1\nprint(foo(1)\ny = 2\n"
    editor.open("# " + before)
    place = at(editor, r"foo")
    editor.choose(titled(editor.menu(place, place), "Repair syntax here"))
    assert editor.buffer == "# " + before.replace("foo(1)", "foo(1))")


def test_what_the_engine_finds_missing_is_put_in_and_nothing_else_changes(
    editor: FakeEditor,
) -> None:
    editor.open("def f(a, b):\n    return a +\n\n\ny = 1\n")
    place = at(editor, "return")
    assert editor.command("sfumato.repair", editor.uri, editor.position(place)) is None
    assert editor.buffer == "def f(a, b):\n    return a + b\n\n\ny = 1\n"


def test_a_fault_that_cannot_be_mended_leaves_the_text(editor: FakeEditor) -> None:
    text = "def f(c):\n    return c +\n"
    editor.open(text)
    place = at(editor, "return")
    resolved = editor.choose(titled(editor.menu(place, place), "Repair syntax here"))
    assert "No repair was found" in resolved["disabled"]["reason"]
    assert editor.shown == [resolved["disabled"]["reason"]]
    assert editor.buffer == text


def test_sound_code_has_no_fault_to_mend(editor: FakeEditor) -> None:
    editor.open("x = 1\n")
    assert editor.menu(0, 0) == []
    assert "no syntax error" in editor.command("sfumato.repair", editor.uri, editor.position(0))


def test_a_selection_is_rewritten_in_three_strengths(editor: FakeEditor) -> None:
    editor.open("total = add_up( values ) \nother = 1\n")
    first, last = at(editor, "add_up"), at(editor, "\n")
    found = titles(editor.menu(first, last))
    assert found == [f"Rewrite selection ({s})" for s in ("light", "medium", "full")]
    where = {"start": editor.position(first), "end": editor.position(last)}
    assert editor.command("sfumato.rewrite", editor.uri, where, "light") is None
    assert editor.buffer == "total = sum(values) \nother = 1\n"


def test_a_call_gets_the_arguments_it_lacks_and_keeps_the_others(editor: FakeEditor) -> None:
    editor.open("x = f(a, b)\n")
    place = at(editor, r"b\)")
    editor.choose(titled(editor.menu(place, place), "Complete this call's arguments"))
    assert editor.buffer == "x = f(a, b, c=3)\n"


def test_a_docstring_is_written_where_there_is_none(editor: FakeEditor) -> None:
    editor.open("def hello():\n    print('hello')\n")
    place = at(editor, "print")
    editor.choose(titled(editor.menu(place, place), "Write the docstring"))
    assert editor.buffer == 'def hello():\n    """Say hello."""\n    print(\'hello\')\n'
    sentence = "The cursor is in no function that lacks a docstring."
    assert editor.command("sfumato.writeDocstring", editor.uri, editor.position(place)) == sentence


def test_what_would_break_the_file_is_not_applied(editor: FakeEditor) -> None:
    editor.open("x = g(a, b)\n")
    answer = editor.command("sfumato.completeArguments", editor.uri, editor.position(7))
    assert answer == "The engine found nothing sound to put there."
    assert editor.buffer == "x = g(a, b)\n"


def test_a_moving_cursor_asks_for_no_grammar_where_nothing_looks_unfinished(
    editor: FakeEditor,
) -> None:
    editor.open("def f(): ...\n\n\ny = 2\nx = f(1\n")
    place = at(editor, r"f\(1")
    assert editor.menu(place, place, invoked=False) == []
    assert "Fill this hole" in titles(editor.menu(9, 9, invoked=False))
    where = {"start": editor.position(place), "end": editor.position(place)}
    diagnostic = {"range": where, "message": "?"}
    found = editor.menu(place, place, invoked=False, diagnostics=[diagnostic])
    assert "Repair syntax here" in titles(found)


def test_only_the_kinds_that_are_wanted_are_offered(editor: FakeEditor) -> None:
    editor.open("def f(): ...\n")
    kinds = {"quickfix": ["Fill this hole"], "source": ["Fill all holes in this file"]}
    for kind, expected in kinds.items():
        assert titles(editor.menu(9, 9, only=[kind])) == expected
    assert editor.menu(9, 9, only=["refactor.extract"]) == []


def test_a_rename_is_carried_on_place_by_place_as_clients_ask_today(editor: FakeEditor) -> None:
    editor.open("def f(count):\n    print(count)\n    return count\n")
    editor.edit(6, 11, "total")
    for method in ("textDocument/copilotInlineEdit", "textDocument/inlineEdit"):
        where = {"uri": editor.uri, "version": 2}
        params = {"textDocument": where, "position": editor.position(editor.cursor)}
        (edit,) = editor.reply(editor.request(method, params))["edits"]
        assert (edit["text"], edit["textDocument"]["uri"]) == ("total", editor.uri)
        editor.replace(edit)
    assert editor.buffer == "def f(total):\n    print(total)\n    return total\n"
    params = {"textDocument": {"uri": editor.uri}, "position": editor.position(0)}
    done = editor.reply(editor.request("textDocument/copilotInlineEdit", params))
    assert done == {"edits": []}


def test_an_added_parameter_gets_an_argument_from_the_engine(editor: FakeEditor) -> None:
    editor.open("def area(width):\n    return width\n\n\nprint(area(1))\n")
    editor.edit(14, 14, ", height")
    action = titled(editor.menu(14, 14), "Repeat the last edit in one other place")
    editor.choose(action)
    assert editor.buffer.endswith("print(area(1, height))\n")


def test_a_pattern_is_continued_while_the_lines_are_alike(editor: FakeEditor) -> None:
    editor.open("a = 1\nb = 2\n\nc = 3\n")
    editor.edit(0, 0, "self.")
    editor.choose(titled(editor.menu(0, 0), "Continue this pattern"))
    assert editor.buffer == "self.a = 1\nself.b = 2\n\nc = 3\n"


def test_without_an_edit_there_is_no_next_one(editor: FakeEditor) -> None:
    editor.open("a = 1\n", uri="file:///ws/fresh.py")
    answer = editor.command("sfumato.nextEdit", editor.uri, editor.position(0))
    assert answer == "There is no last edit to carry on."


def test_a_request_for_the_next_edit_that_cannot_be_read_is_refused(editor: FakeEditor) -> None:
    number = editor.request("textDocument/copilotInlineEdit", {"position": "here"})
    assert editor.refusal(number)["code"] == -32602


@pytest.mark.parametrize(
    "data", [None, "mine", {"command": "other.fix", "arguments": []}, {"a": 1}]
)
def test_an_entry_of_another_server_is_left_as_it_is(editor: FakeEditor, data: Json) -> None:
    action = {"title": "Fix", "data": data}
    assert editor.reply(editor.request("codeAction/resolve", action))["title"] == "Fix"
