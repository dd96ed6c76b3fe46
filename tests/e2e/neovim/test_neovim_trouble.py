"""The plugin in real Neovims when something is wrong: what the user sees, and what goes on."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.neovim import Neovim, neovims, version
from tests.support.plugin import FILL, IDLE, METHOD, init, ready, scripted, version_name
from tests.support.processes import corner
from tests.support.scripted_engine import Script, write_script

pytestmark = pytest.mark.parametrize("program", neovims(), ids=version_name)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with corner(monkeypatch) as path:
        yield path


CLIENTS = """return vim.tbl_map(function(client)
    return client.id
end, vim.lsp.get_clients({ name = 'sfumato' }))"""


def engines(model: Path) -> list[psutil.Process]:
    """Engine processes that serve a model."""
    every = psutil.process_iter(["cmdline"])
    return [process for process in every if str(model) in (process.info["cmdline"] or [])]


def typed(editor: Neovim, file: Path) -> None:
    """Type a key that asks for a suggestion, and see it."""
    editor.edit(file, METHOD)
    editor.type(" ")
    editor.wait_for("self.items.get(name)")
    editor.keys("<Esc>")


def test_the_engine_is_killed_and_comes_back(program: str, folder: Path) -> None:
    model = folder / "model"
    write_script(model, Script(answer=FILL))
    config = {"cmd": scripted(engine=str(model)), "settings": {"deadline_ms": 10_000}}
    with Neovim(program, folder, init(config)) as editor:
        typed(ready(editor, folder), folder / "a.py")
        (old,) = engines(model)
        old.kill()
        editor.edit(folder / "b.py", METHOD)
        editor.type(" x = 1")  # each key is on the screen before the next: nothing waits
        editor.wait_until(IDLE)  # another was started
        editor.keys("<Esc>")
        typed(editor, folder / "c.py")
        assert old.pid not in {engine.pid for engine in engines(model)}


def test_two_editors_share_an_engine(program: str, folder: Path) -> None:
    model = folder / "model"
    write_script(model, Script(answer=FILL))
    config = {"cmd": scripted(engine=str(model)), "settings": {"deadline_ms": 10_000}}
    homes = [folder / name for name in ("one", "two")]
    for home in homes:
        home.mkdir()
    with (
        Neovim(program, homes[0], init(config)) as one,
        Neovim(program, homes[1], init(config)) as two,
    ):
        for editor, home in zip((one, two), homes, strict=True):
            typed(ready(editor, home), home / "a.py")
        assert len(engines(model)) == 1


def test_two_windows_on_a_file_show_one_suggestion(program: str, tmp_path: Path) -> None:
    config = {"cmd": scripted(fill=FILL), "settings": {"deadline_ms": 10_000}}
    with Neovim(program, tmp_path, init(config)) as editor:
        ready(editor, tmp_path)
        editor.edit(tmp_path / "a.py", METHOD)
        editor.keys("<Esc>")
        editor.run("split")
        editor.keys("A")
        editor.type(" ")
        editor.wait_for("self.items.get(name)")
        editor.keys("<Tab>")
        editor.wait_buffer(METHOD.replace("$0", f" {FILL}"))


def test_another_model_is_used_in_every_project(program: str, tmp_path: Path) -> None:
    files = [tmp_path / name / "a.py" for name in ("one", "two")]
    with Neovim(program, tmp_path, init({"cmd": scripted(fill=FILL)})) as editor:
        for file in files:
            (file.parent / ".git").mkdir(parents=True)
            editor.edit(file, METHOD)
            editor.keys("<Esc>")
            editor.wait_until(IDLE)
        old = editor.lua(CLIENTS)
        assert len(old) == 2
        editor.run("Sfumato model another")
        for file in files:
            editor.run(f"buffer {file}")
            editor.wait_until(f"{IDLE} and require('sfumato.server').client().id > ...", max(old))


def test_a_command_that_is_a_function_picks_the_model_itself(program: str, tmp_path: Path) -> None:
    if version(program) < (0, 11):
        pytest.skip("it has no vim.lsp.config")
    with Neovim(program, tmp_path, init({"cmd": scripted(fill=FILL)})) as editor:
        ready(editor, tmp_path)
        editor.lua("vim.lsp.config('sfumato', { cmd = function() end })")
        assert "is a function of yours" in editor.run("Sfumato model another")


def test_settings_that_make_no_sense_are_told_and_the_others_hold(
    program: str, tmp_path: Path
) -> None:
    settings = {"max_lines": "many", "hole_marker": "$1", "colour": "red", "deadline_ms": 10_000}
    config = {"cmd": scripted(fill="return 1"), "settings": settings}
    with Neovim(program, tmp_path, init(config)) as editor:
        editor.edit(tmp_path / "a.py", "$1$0")
        editor.keys("<Esc>")
        editor.wait_for("max_lines should be a whole number")
        editor.keys("<CR><Esc>")  # it may be one that waits for a key
        editor.wait_until(IDLE)
        editor.run("Sfumato fill")
        editor.wait_buffer("return 1")


def test_a_python_that_is_gone_leaves_an_editor_that_says_so(program: str, tmp_path: Path) -> None:
    launcher = tmp_path / "sfumato"
    launcher.write_text("#!/nowhere/.venv/bin/python\n")
    launcher.chmod(0o755)
    config = {"cmd": [str(launcher), "lsp"]}
    with Neovim(program, tmp_path, init(config)) as editor:
        editor.edit(tmp_path / "a.py", METHOD)
        editor.wait_for("Sfumato cannot start; `:checkhealth sfumato` says why.")
        editor.type(" x")
        editor.wait_buffer(METHOD.replace("$0", " x"))
        editor.keys("<Esc>")
        editor.run("checkhealth sfumato")
        assert "/nowhere/.venv/bin/python, which it runs on, is gone." in editor.buffer


def test_without_the_program_checkhealth_says_what_to_do(program: str, tmp_path: Path) -> None:
    config = {"cmd": ["no-such-program", "lsp"], "ghost_text": "neither", "colour": "red"}
    with Neovim(program, tmp_path, init(config)) as editor:
        editor.edit(tmp_path / "a.py", METHOD)
        editor.keys("<CR><Esc>")  # past a message that Neovim shows until a key is pressed
        editor.run("checkhealth sfumato")
        report = editor.buffer
    assert "`no-such-program` was not found or cannot be run." in report
    assert "vim.g.sfumato has no colour; there are autostart, cmd, ghost_text, settings." in report
    assert "vim.g.sfumato.ghost_text should be 'builtin'" in report
