"""minuet-ai.nvim itself, unmodified, in a real Neovim, with the settings that our manual gives.

Where the plugin's clone is, `SFUMATO_MINUET` says; it is not part of this project.
"""

import os
from pathlib import Path

import pytest

from tests.support.listening import KEY, listening
from tests.support.neovim import Neovim
from tests.support.scripted_engine import Script, write_script

PLUGIN = os.environ.get("SFUMATO_MINUET", "")
MANUAL = Path(__file__).parents[3] / "docs" / "plugins.md"

pytestmark = pytest.mark.skipif(not PLUGIN, reason="SFUMATO_MINUET names no clone of minuet")


def settings(port: int, key_variable: str) -> str:
    """The manual's, for a server at another port that wants a key."""
    block = MANUAL.read_text().partition("## minuet\n\n```lua\n")[2].partition("```")[0]
    assert block
    return block.replace("8012", str(port)).replace("'TERM'", repr(key_variable))


def test_a_suggestion_is_shown_and_taken(
    folder: Path, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_THE_TEST", KEY)
    write_script(folder / "model", Script(answer="sum(rows)"))
    with listening(folder / "model") as port:
        path = f"vim.opt.runtimepath:prepend({PLUGIN!r})\n"
        with Neovim(program, folder, path + settings(port, "KEY_OF_THE_TEST")) as neovim:
            neovim.edit(folder / "sums.py", "def total(rows):\n    return$0\n")
            neovim.type(" ")
            neovim.wait_for("return sum(rows)")
            neovim.keys("<A-a>")
            neovim.wait_buffer("def total(rows):\n    return sum(rows)\n")
