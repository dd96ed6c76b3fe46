"""An editor opens a folder: the engine learns its files, and what becomes of them."""

import asyncio
from pathlib import Path

import pytest

from engine import EngineError, EngineUnreachable, Suggestion, WorkspaceChange
from tests.support.local_editor import LIMIT_S, LocalEditor, Message
from tests.support.repositories import commit_all, write
from tests.support.scripted_client import Answer, always, suggestion

WATCHING: Message = {
    "workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}},
    "window": {"workDoneProgress": True},
}
TOTAL = always("total(a)")


async def opened(
    folder: Path, capabilities: Message | None = None, answer: Answer = TOTAL
) -> LocalEditor:
    """An editor with one folder open, which answers the server's questions with null."""
    editor = LocalEditor(answer, folder.parent)
    editor.engine.run_freely()
    editor.folder = folder.as_uri()
    return await editor.start(capabilities)


async def told_of(editor: LocalEditor, name: str) -> str:
    """Wait until the engine is told of a file; its text."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            for question in list(editor.questions):
                editor.answer(question, None)
            try:
                change = await asyncio.wait_for(editor.engine.changes.get(), 0.05)
            except TimeoutError:
                continue
            for file in change.files:
                if Path(file.name).name == name:
                    return file.text.decode()


@pytest.mark.asyncio
async def test_the_files_of_the_folder_are_known_and_the_request_says_whose_it_is(
    tmp_path: Path,
) -> None:
    folder = write(tmp_path / "project", {"a.py": "a = 1\n", "b.py": "x = \n", "built/c.py": "c\n"})
    write(folder, {".gitignore": "built\n"})
    commit_all(folder)
    editor = await opened(folder)
    assert await told_of(editor, "a.py") == "a = 1\n"
    editor.open((folder / "b.py").as_uri(), "x = \n")
    assert await editor.ghosts((folder / "b.py").as_uri(), 4) == ["total(a)"]
    (request, *_) = editor.engine.requests
    kept = editor.engine.indexed[request.workspace]
    assert sorted(Path(name).name for name in kept) == ["a.py", "b.py"]
    assert request.file in kept


@pytest.mark.asyncio
async def test_progress_is_shown_and_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    folder = write(tmp_path / "project", {"a.py": "a = 1\n"})
    editor = await opened(folder, WATCHING)
    assert await told_of(editor, "a.py") == "a = 1\n"
    await editor.settle()
    kinds = [each["value"]["kind"] for each in editor.told("$/progress")]
    assert kinds[0] == "begin"
    write(folder, {"a.py": "a = 1000\n"})
    change = {"uri": (folder / "a.py").as_uri(), "type": 2}
    editor.notify("workspace/didChangeWatchedFiles", {"changes": [change]})
    assert await told_of(editor, "a.py") == "a = 1000\n"
    assert [each["value"]["kind"] for each in editor.told("$/progress")][-1] == "end"


@pytest.mark.asyncio
async def test_an_engine_that_takes_the_place_of_another_is_told_all_again(tmp_path: Path) -> None:
    folder = write(tmp_path / "project", {"a.py": "a = 1\n", "b.py": "x = \n"})
    answers: list[Suggestion | EngineError] = [EngineUnreachable("gone")]
    editor = await opened(folder, answer=lambda _: answers)
    assert await told_of(editor, "a.py") == "a = 1\n"
    editor.open((folder / "b.py").as_uri(), "x = \n")
    await editor.settle()
    while not editor.engine.changes.empty():
        editor.engine.changes.get_nowait()
    editor.engine.indexed.clear()
    assert await editor.ghosts((folder / "b.py").as_uri(), 4) == []
    answers[:] = [suggestion("total(a)")]
    assert await told_of(editor, "a.py") == "a = 1\n"


@pytest.mark.asyncio
async def test_an_answer_does_not_wait_for_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "project", {"a.py": "a = 1\n", "b.py": "x = \n"})
    editor = await opened(folder)
    asked = asyncio.Event()

    async def never(_: WorkspaceChange) -> int:
        asked.set()
        return await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(editor.engine, "index", never)
    editor.open((folder / "a.py").as_uri(), "a = 1\n")
    editor.edit((folder / "a.py").as_uri(), 4, 5, "fresh")
    editor.open((folder / "b.py").as_uri(), "x = \n")
    assert await editor.ghosts((folder / "b.py").as_uri(), 4) == ["total(a)"]
    async with asyncio.timeout(LIMIT_S):
        await asked.wait()


@pytest.mark.asyncio
async def test_what_is_typed_in_another_file_is_known_at_the_next_request(tmp_path: Path) -> None:
    folder = write(tmp_path / "project", {"a.py": "a = 1\n", "b.py": "x = \n"})
    editor = await opened(folder)
    await told_of(editor, "a.py")
    editor.open((folder / "a.py").as_uri(), "a = 1\n")
    editor.edit((folder / "a.py").as_uri(), 4, 5, "fresh")
    editor.open((folder / "b.py").as_uri(), "x = \n")
    await editor.ghosts((folder / "b.py").as_uri(), 4)
    assert await told_of(editor, "a.py") == "a = fresh\n"
