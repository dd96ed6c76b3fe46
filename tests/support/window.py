"""What VS Code is set up with in tests: programs in the place of `sfumato`, and their fills."""

import json
import os
import re
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import expect

from tests.support.vscode import Window

ROOT = Path(__file__).parents[2]

ARTIFACTS = Path(os.environ.get("SFUMATO_EDITORS", ROOT / "build" / "editors"))
"""Where pictures of the windows are kept."""

FILL = "self.items.get(name)\n        count = 1"
METHOD = "class A:\n    def find(self, name):\n        return$0\n"
"""A space at the cursor is followed by FILL."""
FILLED = METHOD.replace("$0", f" {FILL}")

HOLES = "def one(x):\n    ...\n\n\ndef two(x): ...\n\n\nthree = $1\n"
HOLES_FILLED = "def one(x):\n    return 1\n\n\ndef two(x):\n    return 2\n\n\nthree = 3\n"

FILLS = {
    "name)": FILL,
    **dict.fromkeys(("b =", "t =", "u =", "x =", "y ="), FILL),
    "one": "return 1",
    "two": "return 2",
    "three": "3",
    "return a +": " b",
    "# sum": "total = sum(values)",
    "area(1": "height",
    "if find(": "name, 0",
}
"""What the scripted engine puts behind each of these."""


def scripted_program(folder: Path, **script: object) -> str:
    """The real server with a scripted engine, as a program in a file."""
    return _program(
        folder,
        f"PYTHONPATH='{ROOT}' XDG_STATE_HOME='{folder}'",
        f"'{sys.executable}' -P -m tests.support.scripted_server '{json.dumps(script)}'",
    )


def real_program(folder: Path) -> str:
    """`sfumato` itself, whose engine is shared with nobody outside of the folder."""
    run = folder / "run"
    run.mkdir(mode=0o700, parents=True)
    sfumato = Path(sys.executable).with_name("sfumato")
    words = f"XDG_RUNTIME_DIR='{run}' XDG_STATE_HOME='{folder}' XDG_DATA_HOME='{folder}/data'"
    return _program(folder, words, f"'{sfumato}' \"$@\"")


def _program(folder: Path, environment: str, command: str) -> str:
    folder.mkdir(exist_ok=True)
    program = folder / "sfumato"
    program.write_text(f"#!/bin/sh\nexport {environment}\nexec {command}\n")
    program.chmod(0o755)
    return str(program)


def settings(program: str, **more: object) -> dict[str, object]:
    """The user's settings, with our own by their short names."""
    ours = {"program": program, "deadlineMs": 10_000, "holeMarker": "$1", **more}
    return {f"sfumato.{name}": value for name, value in ours.items()}


def is_(window: Window, state: str, program: str = "") -> None:
    """Wait until the item in the status bar says so, of a program if one is named."""
    said = re.compile(f"Sfumato: {state}.*{re.escape(program)}", re.DOTALL)
    expect(window.status).to_have_accessible_name(said)


@contextmanager
def running(window: Window, program: str, **more: object) -> Generator[Window]:
    """The window while it uses another program."""
    usual = window.server.now
    try:
        _use(window, settings(program, **more))
        yield window
    finally:
        _use(window, usual)


def _use(window: Window, changed: Mapping[str, object]) -> None:
    """Change the program, and wait until that one is ready."""
    window.server.settings(changed)
    is_(window, "idle", str(changed["sfumato.program"]))
