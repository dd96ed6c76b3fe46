"""The extension in a real VS Code: keys are typed, what the window shows is read."""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.vscode import CodeServer, Window, missing, window

ROOT = Path(__file__).parents[2]

ARTIFACTS = Path(os.environ.get("SFUMATO_EDITORS", ROOT / "build" / "editors"))
"""Where pictures of the windows are kept."""

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

FILL = "self.items.get(name)\n        count = 1"
"""What the scripted engine puts into every hole."""

METHOD = "class A:\n    def find(self, name):\n        return$0\n"
"""A space at the cursor is followed by the suggestion."""

FILLED = METHOD.replace("$0", f" {FILL}")


def scripted_program(folder: Path) -> Path:
    """The real server with a scripted engine, as a program in a file."""
    program = folder / "sfumato"
    script = json.dumps({"fill": FILL})
    program.write_text(
        f"#!/bin/sh\nexport PYTHONPATH='{ROOT}' XDG_STATE_HOME='{folder}'\n"
        f"exec '{sys.executable}' -P -m tests.support.scripted_server '{script}'\n"
    )
    program.chmod(0o755)
    return program


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    folder = tmp_path_factory.mktemp("vscode")
    settings = {"sfumato.program": str(scripted_program(folder)), "sfumato.deadlineMs": 10_000}
    with CodeServer(folder / "code-server", settings) as server, window(server) as opened:
        opened.open("first.py", "x = $0")
        expect(opened.status).to_have_accessible_name(re.compile("Sfumato: idle"))
        yield opened


@pytest.fixture
def code(running: Window, request: pytest.FixtureRequest) -> Iterator[Window]:
    yield running
    running.shoot(ARTIFACTS / f"{request.node.name}.png")
    running.close()


def test_tab_takes_the_suggestion_and_one_undo_takes_it_back(code: Window) -> None:
    code.open("tab.py", METHOD)
    code.type(" ")
    code.wait_for_ghost(FILL)
    code.shoot(ARTIFACTS / "ghost-text.png")
    code.press("Tab")
    code.wait_for_text(FILLED)
    code.press("Control+Z")
    code.wait_for_text(METHOD.replace("$0", " "))


def test_a_word_then_a_line_then_the_rest(code: Window) -> None:
    code.open("parts.py", METHOD)
    code.type(" ")
    code.wait_for_ghost(FILL)
    code.press("Control+ArrowRight")
    code.wait_for_text(METHOD.replace("$0", " self"))
    code.press("Control+ArrowDown")
    code.wait_for_text(METHOD.replace("$0", " self.items.get(name)\n"))  # its end as well
    code.wait_for_ghost("count = 1")


def test_what_is_typed_along_stays_and_what_is_not_brings_another(code: Window) -> None:
    code.open("along.py", METHOD)
    code.type(" ")
    code.wait_for_ghost(FILL)
    code.type("self.it")
    code.wait_for_ghost("ems.get(name)\n        count = 1")
    code.press("Escape")
    code.wait_without_ghost()


def test_the_server_is_killed_and_comes_back(code: Window) -> None:
    code.open("killed.py", METHOD)
    expect(code.status).to_have_accessible_name(re.compile("Sfumato: idle"))
    for process in code.server.children("tests.support.scripted_server"):
        process.kill()
    expect(code.status).to_have_accessible_name(re.compile("Sfumato: starting"))
    expect(code.status).to_have_accessible_name(re.compile("Sfumato: idle"))
    code.type(" ")
    code.wait_for_ghost(FILL)


def test_paused_it_shows_nothing(code: Window) -> None:
    code.open("paused.py", METHOD)
    code.command("Sfumato: Pause or Go On")
    expect(code.status).to_have_accessible_name(re.compile("Sfumato: paused"))
    code.command("Sfumato: Pause or Go On")
    expect(code.status).to_have_accessible_name(re.compile("Sfumato: idle"))


def test_a_program_that_cannot_be_run_is_named(tmp_path: Path, running: Window) -> None:
    running.server.settings({"sfumato.program": str(tmp_path / "nowhere")})
    message = running.page.get_by_text(re.compile("nowhere, which cannot be run"))
    message.first.wait_for()
    expect(running.status).to_have_accessible_name(re.compile("Sfumato: error"))
