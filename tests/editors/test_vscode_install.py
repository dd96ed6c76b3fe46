"""How the extension finds its program or gets it, in a real VS Code that has none."""

import json
import os
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support import vscode
from tests.support.vscode import CodeServer, Window
from tests.support.window import ARTIFACTS, FILL, METHOD, is_, scripted_program

SETTINGS = {"sfumato.deadlineMs": 10_000}

ENVIRONMENT = {
    "VSCODE_CLI": "1",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_RETRIES": "1",
}
"""PATH is not taken from a login shell, and no index of packages can be reached."""


class Machine:
    """What a user has: folders on PATH, and an interpreter that the Python extension selected."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs, self.pythons, others = (
            _empty(folder / name) for name in ("programs", "pythons", "others")
        )
        for program in Path("/usr/bin").iterdir():
            if not program.name.startswith(("python", "sfumato")):
                (others / program.name).symlink_to(program)
        self.path = f"{self.programs}:{self.pythons}:{others}"
        self.selected = folder / "selected"

    def clear(self) -> None:
        """Python is there, the program nowhere."""
        for program in self.programs.iterdir():
            program.unlink()
        self.selected.write_text("")
        (self.pythons / "python3").unlink(missing_ok=True)
        (self.pythons / "python3").symlink_to(sys.executable)
        for environment in self.folder.rglob("sfumato.sfumato/venv"):
            shutil.rmtree(environment)

    def python_extension(self) -> Path:
        """In the place of Microsoft's, which says what interpreter is selected."""
        manifest = {
            "name": "python",
            "publisher": "ms-python",
            "version": "2026.1.0",
            "engines": {"vscode": "^1.91.0"},
            "main": "main.js",
            "activationEvents": [],
        }
        source = f"""
            const selected = () => require("fs").readFileSync("{self.selected}", "utf8");
            const environments = {{ getActiveEnvironmentPath: () => ({{ path: selected() }}) }};
            exports.activate = () => ({{ environments }});
        """
        files = {"extension/package.json": json.dumps(manifest), "extension/main.js": source}
        return _zip(self.folder / "python.vsix", files)

    def wheel(self, program: str) -> Path:
        """A package whose `sfumato` is this program."""
        info = "sfumato-1.dist-info"
        files = {
            "stand_in.py": f"import os\nmain = lambda: os.execv({program!r}, ['sfumato'])\n",
            f"{info}/METADATA": "Metadata-Version: 2.1\nName: sfumato\nVersion: 1\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": "[console_scripts]\nsfumato = stand_in:main\n",
            f"{info}/RECORD": "",
        }
        return _zip(self.folder / "sfumato-1-py3-none-any.whl", files)


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _zip(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="module")
def server(machine: Machine) -> Iterator[CodeServer]:
    if reason := vscode.missing():
        pytest.skip(reason)
    folder = machine.folder / "code-server"
    others = [machine.python_extension()]
    with CodeServer(folder, SETTINGS, {"PATH": machine.path, **ENVIRONMENT}, others) as running:
        yield running


@pytest.fixture
def code(
    machine: Machine, server: CodeServer, browser: Browser, request: pytest.FixtureRequest
) -> Iterator[Window]:
    """A window of its own for each test, since a program is looked for when a window opens."""
    machine.clear()
    server.settings(SETTINGS)
    with vscode.window(server, browser) as window:
        yield window
        window.shoot(ARTIFACTS / f"{request.node.name}.png")


@pytest.fixture
def program(tmp_path: Path) -> str:
    return scripted_program(tmp_path / "made", fill=FILL)


def suggests(code: Window) -> None:
    """The server is there, and what it suggests is shown."""
    is_(code, "idle")
    code.type(" ")
    code.wait_for_ghost(FILL)


def test_a_program_on_path_is_taken(code: Window, machine: Machine, program: str) -> None:
    (machine.programs / "sfumato").symlink_to(program)
    code.open("on_path.py", METHOD)
    suggests(code)


def test_one_beside_the_selected_interpreter_is_taken(
    code: Window, machine: Machine, program: str
) -> None:
    machine.selected.write_text(str(Path(program).with_name("python")))
    code.open("selected.py", METHOD)
    suggests(code)


def test_the_clone_that_is_chosen_is_remembered(
    code: Window, server: CodeServer, program: str, tmp_path: Path
) -> None:
    (tmp_path / "clone" / ".venv").mkdir(parents=True)
    (tmp_path / "clone" / ".venv" / "bin").symlink_to(Path(program).parent)
    code.open("chosen.py", METHOD)
    code.choose("Choose the Clone")
    code.pick_folder(tmp_path / "clone")
    suggests(code)
    remembered = server.read_settings()["sfumato.program"]
    assert remembered == str(tmp_path / "clone" / ".venv" / "bin" / "sfumato")


def test_it_is_installed_with_consent(
    code: Window, server: CodeServer, machine: Machine, program: str
) -> None:
    server.settings({**SETTINGS, "sfumato.package": str(machine.wheel(program))})
    code.open("installed.py", METHOD)
    code.choose("Install")
    suggests(code)


def test_without_consent_nothing_happens_and_the_status_says_so(code: Window) -> None:
    code.open("declined.py", METHOD)
    code.choose("Not Now")
    is_(code, "error")
    code.type(" x")
    code.wait_for_text(METHOD.replace("$0", " x"))


def test_without_python_it_says_what_to_install(
    code: Window, server: CodeServer, machine: Machine
) -> None:
    (machine.pythons / "python3").unlink()
    server.settings({**SETTINGS, "sfumato.package": "sfumato"})
    code.open("no_python.py", METHOD)
    code.choose("Install")
    code.says("No Python 3.11 or newer was found")
    is_(code, "error")


def test_without_a_network_it_says_so(code: Window, server: CodeServer) -> None:
    server.settings({**SETTINGS, "sfumato.package": "sfumato"})
    code.open("no_network.py", METHOD)
    code.choose("Install")
    code.says("The package index cannot be reached")
    is_(code, "error")
