"""What the user asks for by name, in real Neovims: fill, repair, rewrite, next edit."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.neovim import Neovim, neovims
from tests.support.plugin import IDLE, init, ready, scripted, version_name, wipe

HOLES = "def one(x):\n    ...\n\n\ndef two(x): ...\n\n\nthree = $1\n"
FILLED = "def one(x):\n    return 1\n\n\ndef two(x):\n    return 2\n\n\nthree = 3\n"
FILLS = {
    "one": "return 1",
    "two": "return 2",
    "three": "3",
    "return a +": " b",
    "# sum": "total = sum(values)",
    "area(1": "height",
}
"""What the engine puts behind each of these."""


MEANWHILE = """
local edits, change = require('sfumato.edits'), loadstring(...)
local apply = edits.apply
edits.apply = function(...)
  edits.apply = apply
  change()
  return apply(...)
end"""
"""Does something just before the server's edit arrives."""


@pytest.fixture(scope="module", params=neovims(), ids=version_name)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    folder = tmp_path_factory.mktemp("actions")
    config = {"cmd": scripted(fills=FILLS), "settings": {"hole_marker": "$1"}}
    with Neovim(request.param, folder, init(config)) as editor:
        yield ready(editor, folder)


@pytest.fixture
def editor(running: Neovim) -> Iterator[Neovim]:
    yield running
    wipe(running)


def show(editor: Neovim, file: Path, text: str, cursor: str, newline: str = "") -> None:
    """Open a text in normal mode, with the cursor where `cursor` begins in it."""
    at = text.index(cursor)
    editor.edit(file, text[:at] + "$0" + text[at:], newline)
    editor.keys("<Esc>")
    editor.wait_until(IDLE)
    row, column = text[:at].count("\n") + 1, at - text.rfind("\n", 0, at) - 1
    editor.call("nvim_win_set_cursor", 0, [row, column])


def test_the_hole_at_the_cursor_is_filled_and_one_undo_takes_it_back(
    editor: Neovim, tmp_path: Path
) -> None:
    show(editor, tmp_path / "a.py", HOLES, "...")
    editor.run("Sfumato fill")
    editor.wait_buffer(HOLES.replace("    ...", "    return 1"))
    editor.keys("u")
    editor.wait_buffer(HOLES)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_all_holes_are_filled_and_one_undo_takes_them_back(
    editor: Neovim, tmp_path: Path, newline: str
) -> None:
    file = tmp_path / "a.py"
    show(editor, file, HOLES, "def", newline)
    editor.run("Sfumato fill_all")
    editor.wait_buffer(FILLED)
    editor.run("silent write")
    assert file.read_bytes() == FILLED.replace("\n", newline).encode()
    editor.keys("u")
    editor.wait_buffer(HOLES)


def test_a_hole_is_filled_from_the_menu_of_code_actions(editor: Neovim, tmp_path: Path) -> None:
    show(editor, tmp_path / "a.py", HOLES, "...")
    editor.lua("""vim.lsp.buf.code_action({
        filter = function(action) return action.title == 'Fill this hole' end, apply = true })""")
    editor.wait_buffer(HOLES.replace("    ...", "    return 1"))


def test_what_is_missing_is_put_in_by_repair(editor: Neovim, tmp_path: Path) -> None:
    text = "def f(a, b):\n    return a +\n\n\ny = '𝒳é🙂'\n"
    show(editor, tmp_path / "a.py", text, "return")
    editor.run("Sfumato repair")
    editor.wait_buffer(text.replace("a +", "a + b"))
    editor.keys("u")
    editor.wait_buffer(text)


def test_the_selected_lines_are_rewritten(editor: Neovim, tmp_path: Path) -> None:
    show(editor, tmp_path / "a.py", "# sum\ntotal = add_up(values)\nother = 1\n", "total")
    editor.keys("V:Sfumato rewrite light<CR>")
    editor.wait_buffer("# sum\ntotal = sum(values)\nother = 1\n")


def test_a_rename_is_carried_on_place_by_place(editor: Neovim, tmp_path: Path) -> None:
    text = "def f(count):\n    print(count)\n    return count\n"
    show(editor, tmp_path / "a.py", text, "count")
    editor.keys("cwtotal<Esc>")
    editor.wait_buffer(text.replace("count", "total", 1))
    editor.run("Sfumato next")
    editor.wait_buffer(text.replace("count", "total", 2))
    editor.run("Sfumato next")
    editor.wait_buffer(text.replace("count", "total"))


def test_an_added_parameter_gets_an_argument(editor: Neovim, tmp_path: Path) -> None:
    text = "def area(width):\n    return width\n\n\nprint(area(1))\n"
    show(editor, tmp_path / "a.py", text, "):")
    editor.keys("i, height<Esc>")
    editor.wait_buffer(text.replace("width)", "width, height)"))
    editor.run("Sfumato next")
    editor.wait_buffer(text.replace("width)", "width, height)").replace("(1", "(1, height"))


def test_where_there_is_nothing_to_do_it_says_so(editor: Neovim, tmp_path: Path) -> None:
    show(editor, tmp_path / "a.py", "x = 1\n", "x")
    editor.run("Sfumato fill")
    editor.wait_for("There is no hole here")
    editor.run("Sfumato repair")
    editor.wait_for("There is no syntax error here.")


def test_a_buffer_that_must_not_be_changed_is_not(editor: Neovim, tmp_path: Path) -> None:
    show(editor, tmp_path / "a.py", HOLES, "...")
    editor.run("setlocal nomodifiable")
    for command in ("fill", "fill_all", "repair", ".Sfumato rewrite", "next"):
        said = editor.run(command if command[0] == "." else f"Sfumato {command}")
        assert said == "Sfumato cannot change this buffer, which is not modifiable."
    assert editor.buffer == HOLES.rstrip("\n")


@pytest.mark.parametrize(
    ("meanwhile", "said"),
    [
        ("vim.bo.modifiable = false", "the buffer is not modifiable"),
        ("vim.api.nvim_buf_set_lines(0, 0, 0, true, { '# typed' })", "the text has changed"),
    ],
    ids=["locked", "typed in"],
)
def test_a_buffer_that_was_changed_meanwhile_is_left_alone(
    editor: Neovim, tmp_path: Path, meanwhile: str, said: str
) -> None:
    show(editor, tmp_path / "a.py", HOLES, "...")
    editor.lua(MEANWHILE, meanwhile)
    editor.run("Sfumato fill_all")
    editor.wait_for(f"The editor did not apply it: {said}")
    assert editor.buffer.removeprefix("# typed\n") == HOLES.rstrip("\n")


def test_a_file_that_cannot_be_written_is_filled_in_the_buffer(
    editor: Neovim, tmp_path: Path
) -> None:
    file = tmp_path / "a.py"
    show(editor, file, HOLES, "...")
    editor.run("setlocal readonly")
    editor.run("Sfumato fill")
    editor.wait_buffer(HOLES.replace("    ...", "    return 1"))
    assert file.read_text() == HOLES


def test_a_buffer_that_was_never_saved_is_filled(editor: Neovim) -> None:
    editor.run("enew")
    editor.call("nvim_buf_set_lines", 0, 0, -1, True, ["def one(x):", "    ..."])
    editor.run("setfiletype python")
    editor.wait_until(IDLE)
    editor.call("nvim_win_set_cursor", 0, [2, 5])
    editor.run("Sfumato fill")
    editor.wait_buffer("def one(x):\n    return 1\n")
