"""The model that ships, in both editors: whatever it writes is shown, taken, and pictured."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import plugin
from tests.support.neovim import Neovim, neovims
from tests.support.processes import corner, end_processes
from tests.support.vscode import Window
from tests.support.window import ARTIFACTS, ROOT, is_, real_program, running

EXAMPLE = (ROOT / "examples" / "inventory.py").read_text().replace("[$0]", "[name]")
BEFORE, TOTAL, AFTER = EXAMPLE.replace("$0", "").partition("    def total")
TEXT = f"{BEFORE}    def drop(self, name):\n        if name$0\n\n{TOTAL}{AFTER}"
"""A space at the cursor, and the model knows what to ask."""

ROWS, COLUMNS = 23, 62


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with corner(monkeypatch) as path:
        yield path
        end_processes(ROOT / "engine" / "weights")


def test_ghost_text_comes_and_is_taken_in_vs_code(code: Window, folder: Path) -> None:
    with running(code, real_program(folder / "program")):
        code.open("inventory.py", TEXT)
        code.type(" ")
        shown = code.wait_for_some_ghost()
        code.shoot_editor(ARTIFACTS / "vscode.png")
        code.press("Tab")
        code.wait_without_ghost()
        assert shown in re.sub(r"\s", "", code.saved())


def test_a_model_is_picked_from_those_that_there_are(code: Window, folder: Path) -> None:
    with running(code, real_program(folder / "program")):
        code.command("Sfumato: Pick a Model")
        entries = code.page.locator(".quick-input-list-entry")
        entries.filter(has_text="A folder").wait_for()
        entries.filter(has_text="the model that ships").click()
        code.wait_until(lambda: code.server.read_settings().get("sfumato.model") == "default")
        is_(code, "idle")


@pytest.mark.skipif(not neovims(), reason="no Neovim was found")
def test_ghost_text_is_drawn_in_neovim(code: Window, folder: Path) -> None:
    sfumato = str(Path(sys.executable).with_name("sfumato"))
    settings = {"deadline_ms": 10_000}
    config = {"cmd": [sfumato, "lsp"], "settings": settings}
    with Neovim(neovims()[0], folder, plugin.init(config)) as editor:
        plugin.ready(editor, folder)
        editor.edit(folder / "inventory.py", TEXT)
        editor.type(" ")
        editor.wait(
            lambda lines: any(re.search(r"        if name \S", line) for line in lines[18:20])
        )
        editor.wait_for(" ms")  # what it took, said in the status line
        code.draw(editor.html(ROWS, COLUMNS), ARTIFACTS / "neovim.png")
