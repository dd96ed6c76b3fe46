"""When suggestions come, how steadily they stay, and that nothing else waits for them."""

import asyncio
import re
from pathlib import Path
from typing import Any

from engine import Draft, InfillRequest
from tests.support.local_editor import LocalEditor, play, silence
from tests.support.scripted_client import always, suggestion

URI = "file:///ws/a.py"


def test_typing_goes_on_while_the_engine_works(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        editor.open("file:///ws/b.py", "x = \n")
        first = editor.ask(URI, 4)
        await editor.engine.asked.get()
        editor.edit(URI, 4, 4, "f")
        other = editor.ask("file:///ws/b.py", 4)
        second = editor.ask(URI, 5)
        assert await editor.reply(first) is None
        editor.cancel(second)
        editor.cancel(other)
        assert [await editor.reply(number) for number in (second, other)] == [None, None]

    play(tmp_path, always("total(a)"), script, held=True)


def test_no_request_waits_longer_than_it_may(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        began_s = asyncio.get_running_loop().time()
        assert await editor.ghosts(URI, 4) == []
        assert asyncio.get_running_loop().time() - began_s < 0.51
        assert "in time" in silence(editor)

    play(tmp_path, always("total(a)"), script, held=True)


def test_closing_a_document_stops_the_engine(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        number = editor.ask(URI, 4)
        await editor.engine.asked.get()
        editor.shut(URI)
        assert await editor.reply(number) is None
        assert await editor.engine.ended.get() is False
        assert editor.server.suggester.schedulers == []

    play(tmp_path, always("total(a)"), script, held=True)


def test_word_by_word_and_line_by_line_the_rest_is_there_at_once(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "def f():\n    ")
        text = "    total = one + two\n    return total"
        assert await editor.ghosts(URI, 13) == [text]
        editor.edit(URI, 13, 13, "total ")
        assert await editor.ghosts(URI, 19) == ["= one + two\n    return total"]
        editor.edit(URI, 19, 19, "= one + two\n")
        assert await editor.ghosts(URI, 31) == ["    return total"]
        own = [each for each in editor.engine.requests if each.text == b"def f():\n    "]
        assert editor.engine.requests[0] in own
        assert all(b"return total" in each.text for each in editor.engine.requests[1:])

    play(tmp_path, always("total = one + two\n    return total"), script)


def test_what_follows_an_accepted_suggestion_is_there_at_once(tmp_path: Path) -> None:
    def answer(request: InfillRequest) -> list[Any]:
        return [suggestion("\ny = 2" if b"one" in request.text else "one(a)")]

    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        (item,) = await editor.reply(editor.ask(URI, 4))
        await editor.settle()
        before = len(editor.engine.requests)
        editor.edit(URI, 4, 4, item["insertText"])
        command = {key: item["command"][key] for key in ("command", "arguments")}
        await editor.reply(editor.request("workspace/executeCommand", command))
        assert await editor.ghosts(URI, 10) == ["\ny = 2"]
        assert editor.engine.requests[before - 1].max_lines == 10
        assert editor.engine.requests[before - 1].text == b"x = one(a)\n"

    play(tmp_path, answer, script)


def test_a_suggestion_typed_against_is_where_the_next_begins(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        assert await editor.ghosts(URI, 4) == ["total(a, b)"]
        editor.edit(URI, 4, 4, "sum(")
        await editor.ghosts(URI, 8)
        request = next(each for each in editor.engine.requests if each.text == b"x = sum(\n")
        assert request.draft == b"a, b)"
        assert request.strength < 0.5

    play(tmp_path, always("total(a, b)"), script)


def test_typing_along_a_job_that_was_joined_is_no_rejection(tmp_path: Path) -> None:
    drafts = [Draft("tot░░", 1, 2), suggestion("total(a)")]

    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        editor.ask(URI, 4)
        await editor.engine.asked.get()
        editor.engine.leave.release()
        await editor.settle()
        editor.edit(URI, 4, 4, "to")
        number = editor.ask(URI, 6)
        await editor.settle()
        editor.engine.run_freely().leave.release()
        (item,) = await editor.reply(number)
        assert item["insertText"] == "total(a)"
        editor.edit(URI, 6, 6, "tal")
        assert await editor.ghosts(URI, 9) == ["total(a)"]
        summary = await editor.reply(editor.request("sfumato/statistics", None))
        assert (summary["shown"], summary["rejected"]) == (1, 0)

    play(tmp_path, lambda _: drafts, script, held=True)


def test_somebody_who_types_fast_has_the_engine_asked_once(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        asked: list[int] = []
        for at, key in enumerate("other", 4):
            editor.edit(URI, at, at, key)
            asked.append(editor.ask(URI, at + 1))
            await asyncio.sleep(0.03)
        (item,) = await editor.reply(asked[-1])
        assert item["insertText"] == "other(one)"
        assert editor.engine.requests[0].text == b"x = other\n"

    play(tmp_path, always("(one)"), script)


def test_somebody_who_types_slowly_is_not_made_to_wait(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        for at, key in enumerate("another", 4):
            editor.edit(URI, at, at, key)
            await asyncio.sleep(0.2)
        began_s = asyncio.get_running_loop().time()
        assert await editor.ghosts(URI, 11) == ["another(one)"]
        assert asyncio.get_running_loop().time() == began_s

    play(tmp_path, always("(one)"), script)


def test_what_is_typed_along_does_not_flicker(tmp_path: Path) -> None:
    whole = "total = one + two"

    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "\n")
        for at, key in enumerate(whole[:-1]):
            assert await editor.ghosts(URI, at, invoked=False) == [_from_the_word(whole, at)]
            editor.edit(URI, at, at, key)
        assert len(_asked_for(editor, "\n")) == 1

    play(tmp_path, always(whole), script)


def _from_the_word(whole: str, at: int) -> str:
    """What an item says at a column: the word begun, and what is left behind it."""
    begun = re.search(r"\w*$", whole[:at])
    assert begun is not None
    return whole[begun.start() :]


def _asked_for(editor: LocalEditor, text: str) -> list[InfillRequest]:
    return [each for each in editor.engine.requests if each.text == text.encode()]


def test_the_editor_is_not_held_up_by_a_suggestion_under_way(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "def f():\n    ...\n")
        editor.ask(URI, 8)
        await editor.engine.asked.get()
        began_s = asyncio.get_running_loop().time()
        params = {
            "textDocument": {"uri": URI},
            "range": {"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 4}},
            "context": {"diagnostics": [], "triggerKind": 1},
        }
        actions = await editor.reply(editor.request("textDocument/codeAction", params))
        assert "Fill this hole" in [action["title"] for action in actions]
        await editor.reply(editor.request("sfumato/statistics", None))
        assert asyncio.get_running_loop().time() == began_s

    play(tmp_path, always("total(a)"), script, held=True)


def test_what_comes_too_late_for_one_key_is_there_for_the_next(tmp_path: Path) -> None:
    drafts = [Draft("to░░", 1, 2), suggestion("total(a)")]

    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        first = editor.ask(URI, 4)
        await editor.engine.asked.get()
        editor.engine.leave.release()
        await editor.settle()
        editor.edit(URI, 4, 4, "t")
        editor.engine.leave.release()
        await editor.settle()
        assert await editor.reply(first) is None
        assert await editor.ghosts(URI, 5) == ["total(a)"]
        assert len(_asked_for(editor, "x = t\n")) == 0

    play(tmp_path, lambda _: drafts, script, held=True)
