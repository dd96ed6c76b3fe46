"""The model that ships, in real Neovims: what it writes is shown and taken; and another model."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lsp_server.cli import main
from tests.support.neovim import Neovim, neovims
from tests.support.plugin import ROOT, init, ready, version_name
from tests.support.processes import corner, end_processes
from tests.support.tiny_model import write_tiny_checkpoint

SFUMATO = str(Path(sys.executable).with_name("sfumato"))
BEFORE, _, AFTER = (ROOT / "examples" / "inventory.py").read_text().partition("$0")
TEXT = f"{BEFORE}$0{AFTER.replace('$0', '')}"

SOURCE = "require('sfumato.' .. require('sfumato.config').read().ghost_text)"
MODEL = "(require('sfumato').status() or {}).model"
SHOWN = f"{SOURCE}.shown(vim.api.nvim_get_current_buf())"


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with corner(monkeypatch) as path:
        yield path
        end_processes(ROOT / "engine" / "weights")
        end_processes(path)


@pytest.mark.parametrize("program", neovims(), ids=version_name)
def test_ghost_text_comes_and_is_taken(program: str, folder: Path) -> None:
    settings = {"deadline_ms": 10_000, "min_chance_percent": 0}
    config = {"cmd": [SFUMATO, "lsp"], "settings": settings}
    with Neovim(program, folder, init(config)) as editor:
        ready(editor, folder)
        editor.edit(folder / "inventory.py", TEXT.replace("[$0]", "$0"))
        before = editor.buffer
        editor.type("[")
        editor.wait_until(f"{SHOWN} ~= nil")
        shown = editor.lua(f"return {SHOWN}")
        editor.wait_for(f"del self.items[{shown.partition(chr(10))[0]}")
        editor.keys("<Tab>")
        editor.wait_buffer(TEXT.replace("[$0]", f"[{shown}"))
        editor.keys("<Esc>uu")
        editor.wait_buffer(before)


@pytest.mark.parametrize("program", neovims(), ids=version_name)
@pytest.mark.parametrize("by", ["name", "folder"])
def test_another_model_is_used_by_name_or_folder(
    program: str, by: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    model = write_tiny_checkpoint(folder / "another")
    assert main(["model", "add", str(model), "--name", "mine"]) == 0
    with Neovim(program, folder, init({"cmd": [SFUMATO, "lsp"]})) as editor:
        ready(editor, folder)
        editor.run(f"Sfumato model {'mine' if by == 'name' else model}")
        editor.wait_until(f"{MODEL} ~= nil and {MODEL} ~= 'sfumato-5.1m'")
        assert editor.lua(f"return {MODEL}") == "tiny"
