"""Settings, the menu and statistics, as an editor meets them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from engine import CheckpointError
from lsp_server.statistics import summary_of
from tests.support.local_editor import LocalEditor
from tests.support.scripted_client import always
from tests.support.virtual_time import run

URI = "file:///ws/a.py"
ASKED = {
    "workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}}
}
MENU = {"textDocument": {"completion": {"dynamicRegistration": True}}}

Script = Callable[[LocalEditor], Awaitable[None]]


def play(folder: Path, script: Script, capabilities: Any = None, **options: Any) -> None:
    async def session() -> None:
        editor = LocalEditor(always("total(a)"), folder)
        editor.engine.run_freely()
        await script(await editor.start(capabilities, **options))

    run(session())


async def menu(editor: LocalEditor, index: int) -> Any:
    params = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": index}}
    return await editor.reply(editor.request("textDocument/completion", params))


def test_a_wrong_setting_is_named_once_and_the_others_hold(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        wrong = {"sfumato": {"maxLines": 0, "minChancePercent": 0, "colour": "red"}}
        for _ in range(2):
            editor.notify("workspace/didChangeConfiguration", {"settings": wrong})
        (message,) = editor.told("window/showMessage")
        assert message["message"].startswith("maxLines should be a whole number from 1 to 100")
        assert "colour" in editor.told("window/logMessage")[0]["message"]
        editor.open(URI, "x = \n")
        assert await editor.ghosts(URI, 4) == ["total(a)"]

    play(tmp_path, script)


def test_a_setting_that_the_user_took_out_is_as_it_was_at_first(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        for settings, ghosts in (({"enabled": False}, []), ({}, ["total(a)"])):
            editor.notify("workspace/didChangeConfiguration", {"settings": {"sfumato": settings}})
            assert await editor.ghosts(URI, 4) == ghosts

    play(tmp_path, script, min_chance_percent=0)


def test_only_what_the_user_must_mend_is_shown(tmp_path: Path) -> None:
    class Broken(LocalEditor):
        async def _connect(self) -> Any:
            raise CheckpointError("The model is damaged; install it again.")

    async def session() -> None:
        editor = await Broken(always(""), tmp_path).start()
        editor.open(URI, "x = \n")
        for _ in range(3):
            assert await editor.ghosts(URI, 4) == []
        (message,) = editor.told("window/showMessage")
        assert message["message"] == "The model is damaged; install it again."

    run(session())


def test_each_folder_has_settings_of_its_own(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        (registration,) = editor.questions
        assert registration["method"] == "client/registerCapability"
        editor.answer(registration, None)
        await editor.settle()
        folders = [{"uri": uri, "name": uri} for uri in ("file:///ws", "file:///ws/inner")]
        editor.notify(
            "workspace/didChangeWorkspaceFolders", {"event": {"added": folders, "removed": []}}
        )
        await editor.settle()
        first, question = editor.questions
        items = question["params"]["items"]
        assert [item.get("scopeUri") for item in items] == [
            None,
            "file:///ws",
            "file:///ws/inner",
        ]
        editor.answer(question, [{"enabled": False}, {}, {"enabled": True}])
        editor.answer(first, [{"enabled": True}])  # late: it was asked again since
        await editor.settle()
        found: list[bool] = []
        for uri in ("file:///a.py", "file:///ws/a.py", "file:///ws/inner/a.py"):
            editor.open(uri, "x = \n")
            found.append(bool(await editor.ghosts(uri, 4)))
        assert found == [False, False, True]

    play(tmp_path, script, ASKED)


def test_a_wrong_setting_of_a_folder_is_told_with_its_name(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.answer(editor.questions[0], None)
        await editor.settle()
        folders = [{"uri": uri, "name": uri} for uri in ("file:///ws/one", "file:///ws/two%20b/")]
        editor.notify(
            "workspace/didChangeWorkspaceFolders", {"event": {"added": folders, "removed": []}}
        )
        await editor.settle()
        wrong = {"maxLines": 0}
        editor.answer(editor.questions[-1], [wrong, wrong, wrong | {"enabled": 3}])
        await editor.settle()
        told = [message["message"] for message in editor.told("window/showMessage")]
        assert told == [
            "maxLines should be a whole number from 1 to 100, found 0.",
            "In the folder two b: enabled should be true or false, found 3.",
        ]

    play(tmp_path, script, ASKED)


def test_what_was_asked_under_old_settings_is_not_answered_under_new_ones(tmp_path: Path) -> None:
    async def session() -> None:
        editor = await LocalEditor(always("total(a)"), tmp_path).start()
        editor.open(URI, "x = \n")
        number = editor.ask(URI, 4)
        await editor.engine.asked.get()
        editor.notify("workspace/didChangeConfiguration", {"settings": {"enabled": False}})
        assert await editor.reply(number) is None
        assert await editor.engine.ended.get() is False

    run(session())


def test_inline_completion_is_offered_once(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        assert editor.capabilities["inlineCompletionProvider"] == {}
        methods = [
            registration["method"]
            for question in editor.questions
            for registration in question["params"].get("registrations", [])
        ]
        assert methods == ["workspace/didChangeConfiguration"]

    play(tmp_path, script, ASKED | MENU)


def test_the_menu_is_left_to_others_by_default(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        assert "completionProvider" not in editor.capabilities
        assert editor.questions == []

    play(tmp_path, script, MENU)


def test_an_editor_without_ghost_text_gets_one_honest_entry(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        assert editor.capabilities["completionProvider"] == {}
        editor.open(URI, "x = \n")
        (entry,) = await menu(editor, 4)
        assert entry["label"] == "total(a)"
        assert entry["detail"] == "Sfumato"

    play(tmp_path, script, popup_completion=True)


def test_the_menu_can_be_joined_and_left_later(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        for wanted, entries in ((True, 1), (False, 0)):
            settings = {"popup_completion": wanted}
            editor.notify("workspace/didChangeConfiguration", {"settings": settings})
            await editor.settle()
            for question in list(editor.questions):
                methods = [each["method"] for each in question["params"]["registrations"]]
                assert methods == ["textDocument/completion"]
                editor.answer(question, None)
            editor.open(URI, "x = \n")
            assert len(await menu(editor, 4)) == entries

    play(tmp_path, script, MENU)


@pytest.mark.parametrize("kept", [True, False])
def test_statistics_are_kept_here_and_only_if_wanted(tmp_path: Path, kept: bool) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = \n")
        (item,) = await editor.reply(editor.ask(URI, 4))
        editor.edit(URI, 4, 4, "total(a)")
        command = {key: item["command"][key] for key in ("command", "arguments")}
        for _ in range(2):  # once counts
            await editor.reply(editor.request("workspace/executeCommand", command))
        summary = await editor.reply(editor.request("sfumato/statistics", None))
        assert (summary["shown"], summary["accepted"]) == ((1, 1) if kept else (0, 0))
        assert summary["characters_saved"] == (8 if kept else 0)
        await editor.reply(editor.request("shutdown", None))

    play(tmp_path, script, keep_statistics=kept)
    assert summary_of(tmp_path / "statistics.json").shown == int(kept)
    assert (tmp_path / "statistics.json").exists() is kept
