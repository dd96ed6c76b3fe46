"""How the plugin for Neovim is set up in tests: the real server, with a scripted engine."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support.neovim import Neovim, neovims, version

ROOT = Path(__file__).parents[2]

FILL = "self.items.get(name)\n        count = 1"
"""What the scripted engine puts into every hole."""

METHOD = "class A:\n    def find(self, name):\n        return$0\n"
"""A space at the cursor is followed by the suggestion."""

FILLED = METHOD.replace("$0", f" {FILL}")

IDLE = "(require('sfumato').status() or {}).state == 'idle'"

_INIT = """
vim.env.PYTHONPATH = {root}
vim.g.sfumato = vim.json.decode({config})
vim.o.shortmess = vim.o.shortmess .. 'I'
vim.o.statusline = "%{{%v:lua.require'sfumato'.statusline()%}}"
vim.keymap.set('i', '<Tab>', '<Plug>(sfumato-tab)')
vim.keymap.set('i', '<C-Right>', '<Plug>(sfumato-accept-word)')
vim.keymap.set('i', '<C-Down>', '<Plug>(sfumato-accept-line)')
"""


def ways() -> Iterator[tuple[str, str]]:
    """Program and who draws: the two differ only where Neovim can do it itself."""
    for program in neovims():
        yield program, "own"
        if version(program) >= (0, 12):
            yield program, "builtin"


def version_name(program: str) -> str:
    return ".".join(map(str, version(program)))


def way_name(way: tuple[str, str]) -> str:
    return f"{version_name(way[0])}-{way[1]}"


def scripted(**script: object) -> list[str]:
    """The command of a server whose engine follows a script (`scripted_server` knows which)."""
    return [sys.executable, "-P", "-m", "tests.support.scripted_server", json.dumps(script)]


def init(config: Mapping[str, Any]) -> str:
    """An init.lua with these values of `vim.g.sfumato`."""
    return _INIT.format(root=repr(str(ROOT)), config=repr(json.dumps(config)))


def ready(editor: Neovim, folder: Path) -> Neovim:
    """The same Neovim, with the server started by a first file."""
    editor.edit(folder / "first.py", "x = $0")
    editor.keys("<Esc>")
    editor.wait_until(IDLE)
    return editor


def wipe(editor: Neovim) -> None:
    """Back to normal mode, in no file."""
    editor.keys("<Esc>")
    editor.call("nvim_command", "silent! %bwipeout!")
