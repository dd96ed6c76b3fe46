"""The help, as the newest Neovim there is reads it."""

import re
from pathlib import Path

import pytest

from tests.support.neovim import PLUGIN, Neovim, neovims, version

NEWEST = max(neovims(), key=version, default="")


@pytest.mark.skipif(
    not NEWEST or version(NEWEST) < (0, 12), reason="no Neovim was found whose help has it all"
)
def test_whatever_the_help_refers_to_is_there(tmp_path: Path) -> None:
    text = (PLUGIN / "doc" / "sfumato.txt").read_text()
    (tmp_path / "doc").mkdir()
    (tmp_path / "doc" / "sfumato.txt").write_text(text)
    with Neovim(NEWEST, tmp_path, f"vim.opt.runtimepath:prepend('{tmp_path}')") as editor:
        editor.run(f"helptags {tmp_path / 'doc'}")  # complains of a tag that is there twice
        for link in {*re.findall(r"\|(\S+)\|", text), ":Sfumato-fill"}:
            assert link in editor.call("nvim_call_function", "getcompletion", [link, "help"])
