"""Which files of a workspace the engine is told of, and when."""

import asyncio
import os
from pathlib import Path

import pytest

from engine.types import WorkspaceChange
from grammars.languages import LANGUAGES, Language
from lsp_server.files import MAX_FILE_BYTES, language_of, scan
from lsp_server.positions import split_lines
from lsp_server.session import Snapshot
from lsp_server.settings import Settings
from lsp_server.workspace import WorkspaceIndex
from tests.support.repositories import commit_all, write

FILES = {
    "app.py": "import os\n",
    "lib/tool.go": "package lib\n",
    "notes.txt": "nothing\n",
    ".env.py": "PASSWORD = 1\n",
    "built/made.py": "x = 1\n",
}


class Engine:
    """Keeps what it is told, until it is made to forget."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.changes: list[WorkspaceChange] = []

    async def tell(self, change: WorkspaceChange) -> int:
        self.changes.append(change)
        for name in change.gone:
            self.files.pop(name, None)
        self.files |= {file.name: file.text for file in change.files}
        return len(self.files)

    def names(self, folder: Path) -> list[str]:
        return sorted(Path(name).relative_to(folder).as_posix() for name in self.files)


def names(folder: Path, settings: Settings | None = None) -> list[str]:
    found = scan(folder, lambda _: settings or Settings())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def edited(path: Path, text: str) -> Snapshot:
    return Snapshot(path.as_uri(), "python", 2, split_lines(text.encode()))


def test_what_git_ignores_and_what_is_secret_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, FILES | {".gitignore": "built/\n"})
    commit_all(tmp_path)
    write(tmp_path, {"fresh.py": "y = 2\n", "built/new.py": "z = 3\n"})
    assert names(tmp_path) == ["app.py", "fresh.py", "lib/tool.go"]


def test_without_git_hidden_and_customary_folders_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    write(tmp_path, FILES | {".cache/a.py": "x\n", "node_modules/a/b.js": "x\n"})
    assert names(tmp_path) == ["app.py", "built/made.py", "lib/tool.go"]


def test_what_the_user_switched_off_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    off = Settings(disabled_languages=("go",), excluded_files=("*/built/*",))
    assert names(tmp_path, off) == ["app.py"]
    assert names(tmp_path, Settings(index_workspace=False)) == []


def test_links_and_huge_files_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"huge.py": "x = 1\n" * 100_000, "elsewhere/secret": "x = 1\n"})
    (tmp_path / "link.py").symlink_to(tmp_path / "elsewhere" / "secret")
    assert names(tmp_path) == []


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.id)
def test_names_speak_for_the_languages_they_speak_for_to_the_gate(language: Language) -> None:
    for suffix in language.suffixes:
        assert language_of(Path(f"a{suffix}")) in (None, *language.lsp_ids)


@pytest.mark.asyncio
async def test_only_what_is_new_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "a = 1\n", "b.py": "b = 1\n"})
    engine = Engine()
    index = WorkspaceIndex(engine.tell, lambda _: Settings())
    await index.refresh([tmp_path])
    assert engine.names(tmp_path) == ["a.py", "b.py"]
    (tmp_path / "a.py").unlink()
    write(tmp_path, {"b.py": "b = 1000\r\n", "c.py": "c = 1\n"})
    engine.changes.clear()
    await index.refresh([tmp_path])
    assert engine.names(tmp_path) == ["b.py", "c.py"]
    assert engine.files[str(tmp_path / "b.py")] == b"b = 1000\n"
    engine.changes.clear()
    await index.refresh([tmp_path])
    assert [change.files for change in engine.changes] == [()]


@pytest.mark.asyncio
async def test_an_engine_that_forgot_is_told_again(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "a = 1\n", "b.py": "b = 1\n"})
    engine = Engine()
    index = WorkspaceIndex(engine.tell, lambda _: Settings())
    await index.refresh([tmp_path])
    engine.files.clear()
    await index.refresh([tmp_path])
    assert engine.names(tmp_path) == ["a.py", "b.py"]


@pytest.mark.asyncio
async def test_what_is_typed_elsewhere_is_known_before_it_is_saved(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "a = 1\n", "b.py": "b = 1\n"})
    engine = Engine()
    index = WorkspaceIndex(engine.tell, lambda _: Settings())
    await index.refresh([tmp_path])
    index.edited(edited(tmp_path / "a.py", "a = 2\n"))
    asking = str(tmp_path / "b.py")
    assert index.is_edited_beside(asking)
    await index.send_edited(asking)
    await index.refresh([tmp_path])
    assert engine.files[str(tmp_path / "a.py")] == b"a = 2\n"
    assert not index.is_edited_beside(asking)
    index.closed((tmp_path / "a.py").as_uri())
    await index.refresh([tmp_path])
    assert engine.files[str(tmp_path / "a.py")] == b"a = 1\n"


@pytest.mark.asyncio
async def test_a_document_of_no_folder_is_forgotten_once_it_is_closed(tmp_path: Path) -> None:
    engine = Engine()
    index = WorkspaceIndex(engine.tell, lambda _: Settings())
    index.edited(edited(tmp_path / "a.py", "a = 2\n"))
    await index.send_edited("another.py")
    assert engine.names(tmp_path) == ["a.py"]
    index.closed((tmp_path / "a.py").as_uri())
    await index.refresh([])
    assert engine.names(tmp_path) == []


@pytest.mark.asyncio
async def test_a_secret_is_not_told_though_it_is_being_edited(tmp_path: Path) -> None:
    engine = Engine()
    index = WorkspaceIndex(engine.tell, lambda _: Settings())
    index.edited(edited(tmp_path / ".env", "PASSWORD=1\n"))
    await index.send_edited("another.py")
    assert engine.files == {}


@pytest.mark.asyncio
async def test_what_is_edited_while_the_engine_is_told_is_told_once_and_as_it_is_then(
    tmp_path: Path,
) -> None:
    heard: list[bytes] = []
    go_on = asyncio.Event()

    async def tell(change: WorkspaceChange) -> int:
        heard.extend(file.text for file in change.files)
        await go_on.wait()
        return 1

    index = WorkspaceIndex(tell, lambda _: Settings())
    sending: list[asyncio.Task[None]] = []
    for version in range(5):
        index.edited(edited(tmp_path / "a.py", f"a = {version}\n"))
        sending.append(asyncio.create_task(index.send_edited("another.py")))
        await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(*sending)
    assert heard == [b"a = 0\n", b"a = 4\n"]


@pytest.mark.asyncio
async def test_a_huge_document_is_not_told_though_it_is_being_edited(tmp_path: Path) -> None:
    heard: list[WorkspaceChange] = []

    async def tell(change: WorkspaceChange) -> int:
        heard.append(change)
        return 1

    index = WorkspaceIndex(tell, lambda _: Settings())
    index.edited(edited(tmp_path / "a.py", "a = 1\n" * MAX_FILE_BYTES))
    await index.send_edited("another.py")
    assert not heard
