"""llama.vim itself, unmodified, in a real Neovim, against our `/infill`.

Where the plugin's clone is, `SFUMATO_LLAMA_VIM` says; it is not part of this project.
"""

import os
from pathlib import Path

import pytest

from tests.support.listening import KEY, listening
from tests.support.neovim import Neovim
from tests.support.scripted_engine import Script, write_script

PLUGIN = os.environ.get("SFUMATO_LLAMA_VIM", "")

pytestmark = pytest.mark.skipif(not PLUGIN, reason="SFUMATO_LLAMA_VIM names no clone of llama.vim")


def test_a_suggestion_is_shown_and_taken(folder: Path, program: str) -> None:
    write_script(folder / "model", Script(answer="sum(rows)"))
    with listening(folder / "model") as port:
        init = f"""
            vim.opt.runtimepath:prepend({PLUGIN!r})
            vim.g.llama_config = {{
              endpoint_fim = 'http://127.0.0.1:{port}/infill', api_key = {KEY!r}, show_info = 2,
            }}
        """
        with Neovim(program, folder, init) as neovim:
            neovim.edit(folder / "sums.py", "def total(rows):\n    return$0\n")
            neovim.type(" ")
            screen = neovim.wait_for("return sum(rows)")
            assert any("9 (20.00 ms" in line for line in screen)  # its line of figures has ours
            neovim.keys("<Tab>")
            neovim.wait_buffer("def total(rows):\n    return sum(rows)\n")
