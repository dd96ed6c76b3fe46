"""What users of completion servers complain of, each as something that does not happen here."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import Draft, EngineUnreachable, Head, InfillRequest, Span, Suggestion
from tests.support.local_editor import LocalEditor, play, silence
from tests.support.scripted_client import alternative, always, suggestion
from tests.support.virtual_time import run

URI = "file:///ws/a.py"


def test_deleting_a_word_does_not_bring_it_back(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = wrong")
        for end in range(9, 4, -1):
            editor.edit(URI, end - 1, end, "")
        assert await editor.ghosts(URI, 4) == []
        assert "undo" in silence(editor)

    play(tmp_path, always("wrong(a)"), script)


@pytest.mark.parametrize("fill", ["})", " ", "\n", ""])
def test_what_is_hardly_anything_does_not_take_the_tab_key(tmp_path: Path, fill: str) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        assert await editor.ghosts(URI, 4) == []

    play(tmp_path, always(fill), script)


def test_the_line_ends_of_windows_are_not_shown(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "def f():\r\n    \r\n")
        texts = await editor.ghosts(URI, len("def f():\r\n    "))
        assert texts == ["    x = 1\n    return x"]

    play(tmp_path, always("x = 1\n    return x"), script)


def test_a_blank_line_in_a_block_is_filled_with_its_indentation(tmp_path: Path) -> None:
    text = "class A {\n  int f() {}\n\n\n\n  int g() {}\n}\n"
    at = text.index("\n\n") + 2

    async def script(editor: LocalEditor) -> None:
        editor.open(URI, text, "java")
        assert await editor.ghosts(URI, at) == ["  @Test\n  int h() {}"]
        request = editor.engine.requests[0]
        assert request.text[: request.hole.start].endswith(b"\n\n  ")
        asked = len(editor.engine.requests)
        for key, mark in enumerate("  @T"):
            editor.edit(URI, at + key, at + key, mark)
            rest = "  @Test\n  int h() {}"
            assert (await editor.ghosts(URI, at + key + 1) or [""])[0].endswith(rest[key + 1 :])
        assert len(editor.engine.requests) == asked
        assert [draft["text"] for draft in editor.told("sfumato/preview")][:2] == [
            "  @T\u2591",
            "  @Test\n  int h() {}",
        ]

    drafts = [Draft("@T\u2591", 1, 1), suggestion("@Test\n  int h() {}")]
    play(tmp_path, lambda _: drafts, script, live_preview=True)


@pytest.mark.parametrize("fill", ["", " "])
def test_indentation_alone_is_no_suggestion(tmp_path: Path, fill: str) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "{\n  f();\n\n  g();\n}\n", "c")
        assert await editor.ghosts(URI, 9, invoked=True) == []

    play(tmp_path, always(fill), script)


@pytest.mark.parametrize("rest", ["o", " + one_more_thing", "(a) + b * c"])
def test_code_behind_the_cursor_is_left_alone(tmp_path: Path, rest: str) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, f"x = f{rest}\n")
        assert await editor.ghosts(URI, 5) == []
        assert "behind the cursor" in silence(editor)
        assert await editor.ghosts(URI, 5, invoked=True)
        assert silence(editor) == ""

    play(tmp_path, always("total(a)"), script)


def test_an_entry_of_the_menu_is_extended_and_a_snippet_is_left_alone(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x.clo\n")
        span = {"start": {"line": 0, "character": 2}, "end": {"line": 0, "character": 5}}
        for text, expected in (("close", ["close(a)  # now"]), ("close(${1:a})", [])):
            selected = {"range": span, "text": text}
            items = await editor.reply(editor.ask(URI, 5, selected=selected))
            assert [item["insertText"] for item in items] == expected

    play(tmp_path, always("(a)  # now"), script)


def test_a_lost_engine_comes_back_by_itself(tmp_path: Path) -> None:
    def answer(request: InfillRequest) -> list[Any]:
        return [EngineUnreachable("It is gone.") if b"lose" in request.text else suggestion("f(a)")]

    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "lose = \n")
        assert await editor.ghosts(URI, 7) == []
        editor.edit(URI, 0, 4, "keep")
        await editor.settle()
        assert await editor.ghosts(URI, 7) == ["f(a)"]
        assert editor.told("window/showMessage") == []

    play(tmp_path, answer, script)


def test_asked_by_hand_there_is_a_choice_without_near_duplicates(tmp_path: Path) -> None:
    others = tuple(map(alternative, ("total( values )", "max(values)", "min(values)", "len(a)")))

    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        assert await editor.ghosts(URI, 4) == ["total(values)"]
        texts = await editor.ghosts(URI, 4, invoked=True)
        assert texts == ["total(values)", "max(values)", "min(values)"]
        assert editor.engine.requests[-1].alternatives == 3

    play(tmp_path, lambda _: [replace(suggestion("total(values)"), others=others)], script)


def test_what_is_unlikely_is_not_shown_unless_asked_for(tmp_path: Path) -> None:
    unlikely = replace(suggestion("total(a)"), score_nats=math.log(0.2))

    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        assert await editor.ghosts(URI, 4) == []
        assert "unlikely" in silence(editor)
        assert await editor.ghosts(URI, 4, invoked=True) == ["total(a)"]

    play(tmp_path, lambda _: [unlikely], script, min_chance_percent=25)


def test_after_three_rejections_suggestions_must_be_likelier(tmp_path: Path) -> None:
    likely = replace(suggestion("total(a)"), score_nats=math.log(0.35))

    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "")
        for count in range(3):
            end = len(editor.documents[URI].text)
            editor.edit(URI, end, end, "x = ")
            assert await editor.ghosts(URI, end + 4) == ["total(a)"], f"after {count} rejections"
            editor.edit(URI, end + 4, end + 4, "other\n")
            editor.ask(URI, end + 10)
            await editor.settle()
        end = len(editor.documents[URI].text)
        editor.edit(URI, end, end, "x = ")
        assert await editor.ghosts(URI, end + 4) == []
        assert await editor.ghosts(URI, end + 4, invoked=True) == ["total(a)"]

    def answer(request: InfillRequest) -> list[Any]:
        return [likely] if request.text.endswith(b"= ") else []

    play(tmp_path, answer, script, min_chance_percent=25)


def test_secrets_stay_where_they_are(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open("file:///ws/.env", "KEY=\n", "shellscript")
        assert await editor.ghosts("file:///ws/.env", 4, invoked=True) == []
        assert editor.engine.requests == []
        assert "kept from the engine" in silence(editor)

    play(tmp_path, always("total(a)"), script)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"disabled_languages": ["python"]}, "turned off"),
        ({"excluded_files": ["*/ws/*"]}, "turned off"),
        ({"enabled": False}, "turned off"),
        ({"max_file_lines": 2}, "max_file_lines"),
    ],
)
def test_switched_off_is_off_and_says_so(
    tmp_path: Path, options: dict[str, Any], reason: str
) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = 1\ny = 2\nz = \n")
        assert await editor.ghosts(URI, 16, invoked=True) == []
        assert editor.engine.requests == []
        assert reason in silence(editor)

    play(tmp_path, always("total(a)"), script, **options)


def test_nothing_pops_up_while_the_user_types(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        for _ in range(4):
            editor.edit(URI, 4, 4, "f")
            await editor.ghosts(URI, 5)
        assert editor.told("window/showMessage") == []
        assert editor.told("window/logMessage") == []

    play(tmp_path, lambda _: [EngineUnreachable("It is gone.")], script)


def test_drafts_are_sent_to_those_who_draw_them(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        await editor.ghosts(URI, 4)
        draft, *_ = editor.told("sfumato/preview")
        assert draft == {
            "uri": URI,
            "version": 1,
            "position": {"line": 0, "character": 4},
            "text": "total(a)",
            "masked": 0,
            "done": True,
        }

    play(tmp_path, always("total(a)"), script, livePreview=True)


def test_drafts_are_not_sent_to_others(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        await editor.ghosts(URI, 4)
        assert editor.told("sfumato/preview") == []

    play(tmp_path, always("total(a)"), script)


def test_an_editor_that_never_tells_its_settings_gets_suggestions(tmp_path: Path) -> None:
    capabilities = {"workspace": {"configuration": True}, "window": {"workDoneProgress": True}}

    async def script(editor: LocalEditor) -> None:
        assert editor.questions
        editor.open(URI, "x = \n")
        assert await editor.ghosts(URI, 4) == ["total(a)"]

    play(tmp_path, always("total(a)"), script, capabilities=capabilities)


def test_it_needs_no_settings(tmp_path: Path) -> None:
    async def session() -> None:
        editor = await LocalEditor(always("total(a)"), tmp_path).start(min_chance_percent=None)
        editor.engine.run_freely()
        editor.open(URI, "x = \n")
        assert await editor.ghosts(URI, 4) == ["total(a)"]

    run(session())


def test_a_bracket_that_the_editor_put_there_is_not_shown_again(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "if f()\n")
        (item,) = await editor.reply(editor.ask(URI, 5))
        assert item["insertText"] == "a, b"
        assert item["range"]["end"] == {"line": 0, "character": 5}
        request, foreseen = editor.engine.requests
        assert (request.text, request.hole) == (b"if f()\n", Span(5, 5))
        assert foreseen.text == b"if f(a, b)\n"

    play(tmp_path, always("a, b"), script)


def test_brackets_that_the_editor_puts_there_are_typed_through(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "if \n")
        assert await editor.ghosts(URI, 3) == ["f(g(a)):"]
        for begin, end, text, cursor, left in (
            (3, 3, "f()", 5, "g(a)):"),  # closed by the editor
            (5, 5, "g()", 7, "a)):"),
            (7, 7, "a", 8, "a)):"),  # with the word begun
            (8, 9, ")", 9, "):"),  # typed over
            (9, 10, ")", 10, ":"),
        ):
            editor.edit(URI, begin, end, text)
            assert await editor.ghosts(URI, cursor) == [left]
        asked = [request.text for request in editor.engine.requests]
        assert asked == [b"if \n", b"if f(g(a)):\n"]  # the latter to be ready for what follows

    play(tmp_path, always("f(g(a)):"), script)


def test_an_entry_of_the_menu_goes_in_front_of_the_bracket(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "if f()\n")
        asked = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 5}}
        (entry,) = await editor.reply(editor.request("textDocument/completion", asked, URI))
        assert entry["textEdit"]["newText"] == "a, b"
        assert entry["textEdit"]["range"]["end"] == {"line": 0, "character": 5}

    play(tmp_path, always("a, b"), script, popup_completion=True)


def test_of_what_is_unlikely_a_likely_head_is_shown_until_it_is_used_up(tmp_path: Path) -> None:
    def answer(request: InfillRequest) -> list[Suggestion]:
        if request.hole.start > 4:
            return [suggestion("")]
        heads = [Head("self.total", math.log(0.3)), Head("self", math.log(0.6))]
        return [replace(suggestion("self.total(a)"), score_nats=math.log(0.1), heads=tuple(heads))]

    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        assert await editor.ghosts(URI, 4) == ["self.total"]
        editor.edit(URI, 4, 4, "self.")
        assert await editor.ghosts(URI, 9) == ["total"]
        editor.edit(URI, 9, 9, "total")
        assert await editor.ghosts(URI, 14) == []

    play(tmp_path, answer, script, min_chance_percent=25)


def test_what_was_too_unlikely_is_asked_about_again_once_it_is_typed_along(tmp_path: Path) -> None:
    def answer(request: InfillRequest) -> list[Suggestion]:
        begun = request.text.startswith(b"x = t")
        fill, chance = ("otal(a)", 0.9) if begun else ("total(a)", 0.3)
        return [replace(suggestion(fill), score_nats=math.log(chance))]

    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        assert await editor.ghosts(URI, 4) == []
        editor.edit(URI, 4, 4, "t")
        assert await editor.ghosts(URI, 5) == ["total(a)"]

    play(tmp_path, answer, script, min_chance_percent=50)


def test_a_hundred_rejections_do_not_silence_it(tmp_path: Path) -> None:
    likely = replace(suggestion("total(a)"), score_nats=math.log(0.9))

    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "")
        for _ in range(100):
            end = len(editor.documents[URI].text)
            editor.edit(URI, end, end, "x = ")
            assert await editor.ghosts(URI, end + 4) == ["total(a)"]
            editor.edit(URI, end + 4, end + 4, "other\n")

    play(tmp_path, lambda _: [likely], script, min_chance_percent=50)
