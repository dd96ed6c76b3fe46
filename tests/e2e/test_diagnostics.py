"""What does not parse, for editors that ask: off by default, and of the newest text."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.local_editor import LocalEditor, Message, play
from tests.support.scripted_client import always

URI = "file:///ws/a.py"
METHOD = "textDocument/diagnostic"
DYNAMIC = {
    "workspace": {"configuration": True, "diagnostics": {"refreshSupport": True}},
    "textDocument": {"diagnostic": {"dynamicRegistration": True}},
}


async def faults(editor: LocalEditor, uri: str = URI) -> list[Message]:
    report = await editor.reply(editor.request(METHOD, {"textDocument": {"uri": uri}}))
    assert report["kind"] == "full"
    return report["items"]


def test_they_are_left_to_others_by_default(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        assert "diagnosticProvider" not in editor.capabilities

    play(tmp_path, always(""), script)


def test_what_does_not_parse_is_told_where_it_is(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        assert editor.capabilities["diagnosticProvider"]["interFileDependencies"] is False
        editor.open(URI, "x = (1\n\n\ny = 2\n")
        found = await faults(editor)
        assert found
        assert {one["source"] for one in found} == {"sfumato"}
        assert all(one["message"].startswith("Syntax error") for one in found)
        editor.edit(URI, 6, 6, ")")
        assert await faults(editor) == []

    play(tmp_path, always(""), script, syntax_diagnostics=True)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open("file:///ws/a.js", "let x = 1;\nif (x) { x = 2;\n", "javascript")
        messages = [one["message"] for one in await faults(editor, "file:///ws/a.js")]
        assert messages == ["Syntax error: } is missing."]

    play(tmp_path, always(""), script, syntax_diagnostics=True)


@pytest.mark.parametrize(
    ("uri", "options"),
    [
        ("file:///ws/secrets.py", {}),
        (URI, {"disabled_languages": ["python"]}),
        ("file:///ws/closed.py", {}),
    ],
)
def test_files_that_are_none_of_our_business_have_none(
    tmp_path: Path, uri: str, options: dict[str, Any]
) -> None:
    async def script(editor: LocalEditor) -> None:
        if "closed" not in uri:
            editor.open(uri, "x = (1\n")
        assert await faults(editor, uri) == []

    play(tmp_path, always(""), script, syntax_diagnostics=True, **options)


def test_the_answer_is_about_the_text_as_it_is_by_then(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = (1\n")
        number = editor.request(METHOD, {"textDocument": {"uri": URI}})
        editor.edit(URI, 6, 6, ")")
        assert (await editor.reply(number))["items"] == []

    play(tmp_path, always(""), script, syntax_diagnostics=True)


def test_they_can_be_turned_on_and_off_later(tmp_path: Path) -> None:
    async def script(editor: LocalEditor) -> None:
        editor.open(URI, "x = (1\n")
        for wanted in (True, False):
            await change_settings(editor, syntax_diagnostics=wanted)
            assert bool(await faults(editor)) is wanted

    play(tmp_path, always(""), script, capabilities=DYNAMIC)


async def change_settings(editor: LocalEditor, **settings: Any) -> None:
    """The user changed them; every question that comes of it is answered."""
    editor.notify("workspace/didChangeConfiguration", {"settings": None})
    await editor.settle()
    while editor.questions:
        question = editor.questions[0]
        items = question["params"]["items"] if question["method"].endswith("configuration") else ()
        editor.answer(question, [settings for _ in items] or None)
        await editor.settle()
