"""From a key to ghost text on the screen, in real editors, beside a server that answers at once.

    .venv/bin/python -m tests.bench.editor_latency [--vscode] > latency.md

In a file of 240 lines a space is typed at one place after another; each place is left and restored
before the next. The model is the one that ships, warm. Neovims are those SFUMATO_NEOVIMS names;
--vscode wants code-server and Chromium on PATH and a built extension. Places at which nothing is
shown within LIMIT_S are left out, for both servers.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from time import perf_counter

from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.bench import instant_server
from tests.support import vscode
from tests.support.neovim import Neovim
from tests.support.plugin import ROOT, init, version, ways
from tests.support.processes import end_processes

LIMIT_S = 3.0

PLACES = 30

TRIES = 20
"""A first suggestion is waited for so often: the engine has to start."""

_METHODS = """
    def add_{number}(self, name, count={number}):
        total = self.items.get(name, 0) + count
        return total

    def take_{number}(self, name, count={number}):
        total_{number} =$
        return total_{number}
"""

SETTINGS = {"deadline_ms": 2_000, "min_chance_percent": 0}

CLOCK = """selector => {
    window.pressed = window.shown = 0;
    const look = now => {
        if (pressed && !shown && document.querySelector(selector)) { window.shown = now; }
        requestAnimationFrame(look);
    };
    addEventListener("keydown", event => {
        if (event.key == " ") { window.pressed = performance.now(); window.shown = 0; }
    }, true);
    look();
}"""
"""Notes when a space was pressed, and the frame in which ghost text is first there."""


def source() -> tuple[str, list[int]]:
    """A file without its dollars, and the lines, from 0, that end where one was."""
    methods = [_METHODS.format(number=number) for number in range(PLACES)]
    text = "class Stock:\n    def __init__(self):\n        self.items = {}\n" + "".join(methods)
    rows = [row for row, line in enumerate(text.split("\n")) if line.endswith("$")]
    return text.replace("$", ""), rows


@dataclass(frozen=True)
class Row:
    """One line of the table: milliseconds from a key to ghost text, None where none came."""

    name: str
    ours: list[float | None]
    instant: list[float | None]

    def __str__(self) -> str:
        both = [
            (ours, instant)
            for ours, instant in zip(self.ours, self.instant, strict=True)
            if ours is not None and instant is not None
        ]
        ours, instant = [one for one, _ in both], [one for _, one in both]
        if len(both) < 2:
            return f"| {self.name} | {len(both)} |"
        shares = [_at(ours, p) - _at(instant, p) for p in (50, 95)]
        figures = [_at(ours, 50), _at(ours, 95), _at(instant, 50), _at(instant, 95), *shares]
        cells = [self.name, str(len(both)), *(f"{figure:.0f}" for figure in figures)]
        return f"| {' | '.join(cells)} |"


def _at(times_ms: list[float], percent: int) -> float:
    return quantiles(times_ms, n=100, method="inclusive")[percent - 1]


def in_neovim(program: str, ghost_text: str, cmd: list[str], folder: Path) -> list[float | None]:
    """Type at each place in a Neovim."""
    text, rows = source()
    config = {"cmd": cmd, "ghost_text": ghost_text, "settings": SETTINGS}
    with Neovim(program, folder, init(config)) as editor:
        editor.edit(folder / "stock.py", f"$0{text}")
        editor.keys("<Esc>")
        editor.wait_until("(vim.lsp.get_clients({ name = 'sfumato' })[1] or {}).initialized")
        next((True for _ in range(TRIES) if _key(editor, rows[0])), False)
        times = [_key(editor, row) for row in rows]
        editor.run("silent %bwipeout!")
    return times


def _key(editor: Neovim, row: int) -> float | None:
    line = editor.call("nvim_buf_get_lines", 0, row, row + 1, True)[0]
    editor.call("nvim_win_set_cursor", 0, [row + 1, 0])
    editor.keys("zzA")
    editor.wait_until("vim.fn.mode() == 'i'")
    began_s = perf_counter()
    editor.keys(" ")
    try:
        editor.wait(
            lambda lines: any(_shown(line, each) for each in lines),
            LIMIT_S,
        )
        took_ms = (perf_counter() - began_s) * 1000
    except AssertionError:
        took_ms = None
    editor.keys("<Esc>u")
    editor.wait_until("vim.fn.mode() == 'n'")
    return took_ms


def _shown(line: str, on_screen: str) -> bool:
    return on_screen.startswith(line + " ") and len(on_screen) > len(line) + 1


def in_vscode(program: Path, folder: Path) -> list[float | None]:
    """Type at each place in a VS Code."""
    text, rows = source()
    ours = {"program": str(program), "deadlineMs": 2_000, "minChancePercent": 0}
    settings = {f"sfumato.{name}": value for name, value in ours.items()}
    with (
        vscode.browser() as browser,
        vscode.CodeServer(folder, settings) as server,
        vscode.window(server, browser) as window,
    ):
        window.page.set_default_timeout(LIMIT_S * 1000)
        window.page.evaluate(CLOCK, vscode.GHOST)
        window.open("stock.py", f"{text}$0")
        next((True for _ in range(TRIES) if _press(window, rows[0])), False)
        return [_press(window, row) for row in rows]


def _press(window: vscode.Window, row: int) -> float | None:
    window.go_to(row + 1, 1)
    window.press("End")
    window.press("Space")
    try:
        window.page.wait_for_function("shown > 0")
        took_ms = window.page.evaluate("shown - pressed")
    except PlaywrightTimeout:
        took_ms = None
    window.press("Escape")
    window.press("Control+Z")
    window.wait_without_ghost()
    return took_ms


@contextmanager
def corner() -> Generator[Path]:
    """A folder, and an engine of our own that ends with it."""
    with tempfile.TemporaryDirectory(prefix="sf") as name:
        folder = Path(name)
        (folder / "run").mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
        try:
            yield folder
        finally:
            end_processes(ROOT / "engine" / "weights")


def rows(folder: Path, with_vscode: bool) -> Iterator[Row]:
    """Measure one editor after the other."""
    servers: Mapping[str, list[str]] = {
        "ours": [str(Path(sys.executable).with_name("sfumato")), "lsp"],
        "instant": [sys.executable, instant_server.__file__],
    }
    for program, ghost_text in ways():
        found = {
            name: in_neovim(program, ghost_text, cmd, _empty(folder / f"{ghost_text}-{name}"))
            for name, cmd in servers.items()
        }
        number = ".".join(map(str, version(program)))
        yield Row(f"Neovim {number}, {ghost_text}", found["ours"], found["instant"])
    if with_vscode:
        found = {
            name: in_vscode(_launcher(_empty(folder / f"code-{name}"), cmd), folder / name)
            for name, cmd in servers.items()
        }
        yield Row("VS Code", found["ours"], found["instant"])


def _empty(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _launcher(folder: Path, cmd: list[str]) -> Path:
    program = folder / "sfumato"
    program.write_text(f"#!/bin/sh\nexec '{cmd[0]}' '{cmd[1]}'\n")
    program.chmod(0o755)
    return program


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--vscode", action="store_true")
    wanted = parser.parse_args()
    print("| editor | places | p50 ms | p95 ms | at once p50 | p95 | our share p50 | p95 |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    with corner() as room:
        for row in rows(room, wanted.vscode):
            print(row, flush=True)
