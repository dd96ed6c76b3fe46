"""The extension in a real VS Code when something is wrong: what is said, and what goes on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import corner
from tests.support.scripted_engine import Script, write_script
from tests.support.vscode import Window
from tests.support.window import FILL, METHOD, is_, running, scripted_program, settings

LOOK_FOR_DRAFT = """() => {
    window.draft = "";
    const look = () => {
        for (const each of document.querySelectorAll(".view-line span")) {
            for (const side of ["::before", "::after"]) {
                const text = getComputedStyle(each, side).content;
                window.draft = text.startsWith('"f(n\u2591') ? text : window.draft;
            }
        }
        requestAnimationFrame(look);
    };
    look();
}"""
"""Keeps the text of a decoration that begins as the draft does."""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with corner(monkeypatch) as path:
        yield path


def test_the_server_is_killed_and_comes_back(code: Window) -> None:
    code.open("killed.py", METHOD)
    is_(code, "idle")
    for process in code.server.children("tests.support.scripted_server"):
        process.kill()
    is_(code, "starting")
    is_(code, "idle")
    code.type(" ")
    code.wait_for_ghost(FILL)


def test_it_starts_at_once_when_that_is_asked_for(code: Window) -> None:
    code.open("restarted.py", METHOD)
    for _ in range(3):  # the longer it would wait by itself
        is_(code, "idle")
        for process in code.server.children("tests.support.scripted_server"):
            process.kill()
        is_(code, "starting")
    code.command("Sfumato: Restart the Server")
    is_(code, "idle")
    code.type(" ")
    code.wait_for_ghost(FILL)
    assert len(code.server.children("-m tests.support.scripted_server")) == 1


def test_the_engine_is_killed_and_comes_back(code: Window, folder: Path) -> None:
    write_script(folder / "model", Script(answer=FILL))
    program = scripted_program(folder / "program", engine=str(folder / "model"))
    with running(code, program):
        code.open("engine.py", METHOD)
        code.type(" ")
        code.wait_for_ghost(FILL)
        (old,) = code.server.children("scripted_engine.py")
        old.kill()
        code.press("Escape")
        code.type("typing goes on")
        code.editor.get_by_text("typing goes on").wait_for()
        code.wait_until(lambda: {old.pid}.isdisjoint(_engines(code)) and _engines(code) != [])
        is_(code, "idle")
        code.close()
        code.open("engine_again.py", METHOD)
        code.type(" ")
        code.wait_for_ghost(FILL)


def script(path: Path, text: str) -> str:
    """A program whose first line names its interpreter."""
    path.write_text(f"#!{text}\n")
    path.chmod(0o755)
    return str(path)


def _engines(code: Window) -> list[int]:
    return [process.pid for process in code.server.children("scripted_engine.py")]


def test_paused_it_shows_nothing(code: Window) -> None:
    code.open("paused.py", METHOD)
    code.command("Sfumato: Pause or Go On")
    is_(code, "paused")
    code.type(" ")
    code.command("Sfumato: Pause or Go On")
    is_(code, "idle")
    assert code.ghost == ""


def test_settings_that_make_no_sense_are_told_and_the_others_hold(code: Window) -> None:
    usual = code.server.now
    code.server.settings({**usual, "sfumato.maxLines": "many"})
    code.says("maxLines should be a whole number")
    code.open("settings.py", METHOD)
    code.type(" ")
    code.wait_for_ghost(FILL)
    code.server.settings(usual)


def test_a_program_that_says_nothing_gives_way_to_another(code: Window, tmp_path: Path) -> None:
    usual = code.server.now
    silent = script(tmp_path / "silent", "/bin/sh\nexec sleep 1234")
    code.server.settings(settings(silent))
    is_(code, "starting", silent)
    code.server.settings(usual)
    is_(code, "idle")
    code.wait_until(lambda: code.server.children("sleep 1234") == [])
    assert code.page.locator(".notification-toast").count() == 0


def test_a_server_that_is_still_starting_is_started_anew(code: Window, tmp_path: Path) -> None:
    usual, gate = code.server.now, tmp_path / "gate"
    hold = f"{{ until test -e {gate}; do sleep 0.1; done; cat; }}"
    slow = script(tmp_path / "slow", f"/bin/sh\n{hold} | {usual['sfumato.program']}")
    code.server.settings(settings(slow))
    is_(code, "starting", slow)
    code.command("Sfumato: Restart the Server")
    gate.touch()
    is_(code, "idle", slow)
    code.open("anew.py", METHOD)
    code.type(" ")
    code.wait_for_ghost(FILL)
    code.wait_until(lambda: len(code.server.children("-m tests.support.scripted_server")) == 1)
    code.server.settings(usual)
    is_(code, "idle", str(usual["sfumato.program"]))


def test_a_program_that_ends_at_once_gives_way_to_another(code: Window, tmp_path: Path) -> None:
    usual = code.server.now
    code.server.settings(settings(script(tmp_path / "ends", "/bin/sh\nexit 3")))
    is_(code, "starting", "is being started again")
    code.server.settings(usual)
    is_(code, "idle", str(usual["sfumato.program"]))


@pytest.mark.parametrize("name", ["nowhere", "folder", "without_its_python"])
def test_a_program_that_cannot_be_run_is_named(code: Window, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    script(tmp_path / "without_its_python", "/nowhere/bin/python")
    usual = code.server.now
    code.server.settings(settings(str(tmp_path / name)))
    code.says(f"{name}, which cannot be run")
    is_(code, "error")
    code.open("typing.py", METHOD)
    code.type(" x")
    code.wait_for_text(METHOD.replace("$0", " x"))
    code.server.settings(usual)
    is_(code, "idle")


def test_drafts_are_drawn_as_they_sharpen(code: Window, folder: Path) -> None:
    gate = folder / "gate"
    os.mkfifo(gate)
    leave = os.open(gate, os.O_RDWR)
    write_script(folder / "model", Script(answer="f(names)", gate=str(gate)))
    program = scripted_program(folder / "program", engine=str(folder / "model"))
    with running(code, program, livePreview=True):
        code.open("preview.py", "x =$0\n")
        code.type(" ")
        code.page.evaluate(LOOK_FOR_DRAFT)
        os.write(leave, b"...")  # of eight steps
        code.page.wait_for_function("draft")
        os.write(leave, b".....")
        code.wait_for_ghost("f(names)")
        assert code.page.evaluate("draft") == '"f(n░░░░░"'
    os.close(leave)


def test_the_walkthrough_leads_through_what_there_is(code: Window) -> None:
    code.open("walked.py", METHOD)
    code.command("Welcome: Open Walkthrough...")
    code.page.locator(".quick-input-list-entry", has_text="Get Started with Sfumato").click()
    steps = code.page.locator(".gettingStarted .step-title")
    for title in ("Get the language server", "Accept suggestions", "Fill, repair, rewrite"):
        steps.filter(has_text=title).wait_for()
    code.press("Control+W")
