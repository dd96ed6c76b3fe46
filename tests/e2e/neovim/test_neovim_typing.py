"""The plugin in real Neovims: keys are typed, the screen is compared.

Each test runs with every way of showing suggestions that each Neovim has.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.neovim import Neovim
from tests.support.plugin import (
    FILL,
    FILLED,
    IDLE,
    METHOD,
    init,
    ready,
    scripted,
    way_name,
    ways,
    wipe,
)
from tests.support.processes import corner
from tests.support.scripted_engine import Script, write_script

COUNT_REQUESTS = """
vim.g.requests = 0
vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)
  local request = event.data.request
  if request.type == 'pending' and request.method == 'textDocument/inlineCompletion' then
    vim.g.requests = vim.g.requests + 1
  end
end })"""

ANOTHER_SERVER = """
vim.lsp.start({ name = 'another', cmd = function()
  return {
    request = function(_, _, answer) answer(nil, { capabilities = {} }) return true, 1 end,
    notify = function() return true end,
    is_closing = function() return false end,
    terminate = function() end,
  }
end })"""
"""One that says nothing of how it counts, and so counts in UTF-16."""


@pytest.fixture(scope="module", params=list(ways()), ids=way_name)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    program, ghost_text = request.param
    folder = tmp_path_factory.mktemp("neovim")
    settings = {"deadline_ms": 10_000}
    config = {"cmd": scripted(fill=FILL), "ghost_text": ghost_text, "settings": settings}
    with Neovim(program, folder, init(config)) as editor:
        yield ready(editor, folder)


@pytest.fixture
def editor(running: Neovim) -> Iterator[Neovim]:
    yield running
    wipe(running)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.py"


def test_tab_takes_the_suggestion_and_one_undo_takes_it_back(editor: Neovim, file: Path) -> None:
    editor.edit(file, METHOD)
    editor.type(" ")
    editor.wait_for("return self.items.get(name)")
    editor.wait_for("        count = 1")
    assert "items" not in editor.buffer
    editor.keys("<Tab>")
    editor.wait_buffer(FILLED)
    editor.keys("<Esc>u")
    editor.wait_buffer(METHOD.replace("$0", " "))


def test_a_word_then_a_line_then_the_rest(editor: Neovim, file: Path) -> None:
    editor.edit(file, METHOD)
    editor.type(" ")
    editor.wait_for("self.items.get(name)")
    editor.keys("<C-Right>")
    editor.wait_buffer(METHOD.replace("$0", " self"))
    editor.wait_for("self.items.get(name)")
    editor.keys("<C-Down>")
    editor.wait_buffer(METHOD.replace("$0", " self.items.get(name)"))
    editor.wait_for("        count = 1")
    editor.keys("<Tab>")
    editor.wait_buffer(FILLED)


def test_what_is_typed_along_never_flickers(editor: Neovim, file: Path) -> None:
    editor.edit(file, METHOD)
    editor.type(" ")
    editor.wait_for("self.items.get(name)")
    seen = len(editor.frames)
    editor.type("self.items")
    assert all("return self.items.get(name)" in frame[2] for frame in editor.frames[seen:])


def test_what_is_typed_otherwise_brings_another(editor: Neovim, file: Path) -> None:
    editor.edit(file, METHOD)
    editor.type(" ")
    editor.wait_for("self.items.get(name)")
    editor.type("x")
    editor.wait_for("return xself.items.get(name)")


def test_tab_indents_where_the_suggestion_is_indentation(editor: Neovim, file: Path) -> None:
    editor.edit(file, METHOD)
    editor.call("nvim_command", "setlocal expandtab shiftwidth=4 noautoindent indentexpr=")
    editor.type(" ")
    editor.wait_for("self.items.get(name)")
    editor.keys("<C-Down>")
    editor.wait_buffer(METHOD.replace("$0", " self.items.get(name)"))
    editor.keys("<CR>")
    editor.wait_for("        count = 1")
    editor.keys("<Tab>")
    editor.wait_buffer(METHOD.replace("$0", " self.items.get(name)\n    "))


def test_tab_is_left_to_an_open_menu(editor: Neovim, file: Path) -> None:
    editor.edit(file, "selfish = 1\nselfless = 2\ny =$0\n")
    editor.type(" ")
    editor.wait_for("self.items.get(name)")
    editor.keys("<C-n>")
    editor.wait_until("vim.fn.pumvisible() == 1")
    assert not editor.lua("return require('sfumato').tab_accepts()")


@pytest.mark.parametrize(
    "text", ["\tif x:\n\t\treturn$0", "s = '𝒳é🙂';$0", "שלום = 1;$0\n", "a\x0cb =$0"]
)
def test_text_of_any_kind_is_completed_at_the_cursor(editor: Neovim, file: Path, text: str) -> None:
    editor.edit(file, text)
    editor.type(" ")
    editor.wait_for("self.items.get(name)")
    editor.keys("<Tab>")
    editor.wait_buffer(text.replace("$0", f" {FILL}"))


def test_line_ends_of_windows_stay(editor: Neovim, file: Path) -> None:
    editor.edit(file, METHOD, newline="\r\n")
    assert editor.lua("return vim.bo.fileformat") == "dos"
    editor.type(" ")
    editor.wait_for("self.items.get(name)")
    editor.keys("<Tab>")
    editor.wait_buffer(FILLED)
    editor.call("nvim_command", "write")
    assert file.read_bytes() == FILLED.replace("\n", "\r\n").encode()


def test_a_buffer_that_is_not_modifiable_takes_nothing(editor: Neovim, file: Path) -> None:
    editor.edit(file, METHOD)
    editor.type(" ")
    editor.wait_for("self.items.get(name)")
    editor.run("setlocal nomodifiable")
    editor.run("messages clear")
    editor.keys("<C-Right><C-Down>x")
    editor.wait_buffer(METHOD.replace("$0", " x"))
    assert editor.run("messages") == ""


def test_in_a_file_that_is_read_only_the_buffer_takes_it(editor: Neovim, file: Path) -> None:
    editor.edit(file, METHOD)
    editor.run("setlocal readonly")
    editor.type(" ")
    editor.wait_for("self.items.get(name)")
    editor.keys("<Tab>")
    editor.wait_buffer(FILLED)
    assert file.read_text() == METHOD.replace("$0", "")


def test_what_changes_behind_the_cursor_is_asked_about(editor: Neovim, file: Path) -> None:
    if editor.lua("return require('sfumato.config').read().ghost_text") == "builtin":
        pytest.skip("Neovim's own asks when the cursor moves")
    editor.edit(file, METHOD.replace("$0", "$0  "))
    editor.type(" ")
    editor.wait_for("self.items.get(name)")
    editor.lua(COUNT_REQUESTS)
    editor.keys("<Del>")
    editor.wait_until("vim.g.requests > 0")
    editor.wait_for("self.items.get(name)")


def test_its_positions_are_counted_as_those_of_other_servers(editor: Neovim, file: Path) -> None:
    if editor.lua("return vim.fn.has('nvim-0.11')"):
        pytest.skip("each server may count in its own way there")
    editor.edit(file, METHOD)
    editor.lua(ANOTHER_SERVER)
    editor.wait_until("#vim.lsp.get_clients({ bufnr = 0 }) == 2")
    editor.lua("vim.lsp.util.make_position_params()")  # what every request of Neovim's begins with
    assert "multiple different client offset_encodings" not in editor.run("messages")


def test_paused_it_shows_nothing(editor: Neovim, file: Path) -> None:
    editor.edit(file, METHOD)
    editor.type(" ")
    editor.wait_for("self.items.get(name)")
    editor.call("nvim_command", "Sfumato toggle")
    editor.wait_for("sfumato: paused")
    editor.wait_without("items")
    editor.call("nvim_command", "Sfumato toggle")
    editor.type("s")
    editor.wait_for("self.items.get(name)")


def test_the_server_is_killed_and_comes_back(editor: Neovim, file: Path) -> None:
    editor.edit(file, METHOD)
    editor.type(" ")
    editor.wait_for("self.items.get(name)")
    editor.keys("<Esc>")
    old = editor.lua("return vim.lsp.get_clients({ name = 'sfumato' })[1].id")
    for child in psutil.Process(editor.pid).children(recursive=True):
        if "tests.support.scripted_server" in child.cmdline():
            child.kill()
    editor.wait_until(f"(vim.lsp.get_clients({{ name = 'sfumato' }})[1] or {{}}).id ~= {old}")
    editor.wait_until(IDLE)
    editor.keys("A<BS>")
    editor.type(" ")
    editor.wait_for("self.items.get(name)")


def test_the_command_says_how_it_stands_and_what_it_knows(editor: Neovim, file: Path) -> None:
    editor.edit(file, METHOD)
    editor.wait_until(IDLE)
    said = editor.run("Sfumato status")
    assert said.startswith("Sfumato: idle, model scripted on cpu")
    assert "there are fill, fill_all, log, model, next" in editor.run("Sfumato frobnicate")
    assert editor.run("Sfumato rewrite") == "Select the lines to rewrite, or give a range."
    found = editor.lua("return vim.fn.getcompletion('Sfumato f', 'cmdline')")
    assert found == ["fill", "fill_all"]
    found = editor.lua("return vim.fn.getcompletion('Sfumato rewrite ', 'cmdline')")
    assert found == ["light", "medium", "full"]


def test_statistics_and_log_are_shown(editor: Neovim, file: Path) -> None:
    editor.edit(file, METHOD)
    editor.type(" ")
    editor.wait_for("self.items.get(name)")
    editor.keys("<Esc>")
    editor.run("Sfumato stats")
    editor.wait_for("Sfumato, since the statistics were last cleared:")
    assert "vim.NIL" not in "".join(editor.screen)
    editor.keys("<CR>")
    editor.run("Sfumato log")
    assert editor.call("nvim_buf_get_name", 0).endswith("lsp.log")
    assert not editor.lua("return vim.bo.modifiable")


def test_checkhealth_looks_at_everything(editor: Neovim, file: Path) -> None:
    editor.edit(file, METHOD)
    editor.wait_until(IDLE)
    editor.call("nvim_command", "checkhealth sfumato")
    report = editor.buffer
    assert "idle, model scripted on cpu" in report
    assert "<Tab> is mapped to tab" in report


@pytest.mark.parametrize("way", list(ways()), ids=way_name)
def test_brackets_that_are_closed_are_taken_along_by_word_and_as_a_whole(
    way: tuple[str, str], tmp_path: Path
) -> None:
    program, ghost_text = way
    config = {"cmd": scripted(fill="a, b"), "ghost_text": ghost_text, "settings": {}}
    with Neovim(program, tmp_path, init(config)) as editor:
        ready(editor, tmp_path).edit(tmp_path / "whole.py", "if f$0)\n")
        editor.type("(")
        editor.wait_for("if f(a, b)")
        editor.keys("<Tab>")
        editor.wait_buffer("if f(a, b)\n")
        editor.keys("<Esc>")
        editor.edit(tmp_path / "parts.py", "if f$0)\n")
        editor.type("(")
        for taken in ("if f(a)", "if f(a,)", "if f(a, b)"):
            editor.wait_for("if f(a, b")  # Neovim draws it over the bracket behind a word begun
            editor.keys("<C-Right>")
            editor.wait_buffer(f"{taken}\n")
        editor.keys("<Esc>")


@pytest.mark.parametrize("way", list(ways()), ids=way_name)
def test_drafts_are_drawn_as_they_sharpen(
    way: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, ghost_text = way
    with corner(monkeypatch) as folder:
        gate = folder / "gate"
        os.mkfifo(gate)
        leave = os.open(gate, os.O_RDWR)
        write_script(folder / "model", Script(answer="f(names)", gate=str(gate)))
        command = scripted(engine=str(folder / "model"))
        settings = {"deadline_ms": 10_000, "live_preview": True}
        config = {"cmd": command, "ghost_text": ghost_text, "settings": settings}
        with Neovim(program, folder, init(config)) as editor:
            ready(editor, folder).edit(folder / "a.py", "x =$0\n")
            editor.type(" ")
            os.write(leave, b"...")  # of eight steps
            editor.wait_for("x = f(n░░░░░")
            editor.keys("<Esc>")
            editor.wait_without("░")
            os.write(leave, b"." * 100)  # as many as there may be steps
            editor.keys("A ")
            editor.wait_for("x =  f(names)")
            assert editor.buffer == "x =  "
            editor.keys("<Esc>")
        os.close(leave)
