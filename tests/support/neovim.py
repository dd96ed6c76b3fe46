"""A real Neovim as a child process: keys go in, the screen comes out, frame by frame."""

import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import IO, Any, Self

import msgpack  # pyright: ignore[reportMissingTypeStubs] - it has none

PLUGIN = Path(__file__).parents[2] / "editors" / "nvim"

LIMIT_S = 60.0
"""Bound of every wait; none is expected to come near it."""

ROWS, COLUMNS = 24, 160  # wide, so that no message fills a line and waits for a key


def neovims() -> list[str]:
    """Programs to test: those that SFUMATO_NEOVIMS names, colons between, else the one on PATH."""
    named = os.environ.get("SFUMATO_NEOVIMS", "")
    found = named.split(":") if named else [shutil.which("nvim") or ""]
    return [program for program in found if program and version(program) >= (0, 10)]


def version(program: str) -> tuple[int, ...]:
    """Of a Neovim, as numbers."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    number = done.stdout.partition("NVIM v")[2].split()[0].partition("-")[0]
    return tuple(map(int, number.split(".")))


class Screen:
    """The grid of cells that a terminal would show, kept up by Neovim's `redraw` events.

    looks  by number: colours as 0xRRGGBB, and whether bold or italic; 0 is what text has by default
    """

    def __init__(self) -> None:
        self._cells: list[list[tuple[str, int]]] = []
        self.looks: dict[int, dict[str, Any]] = {}

    @property
    def lines(self) -> tuple[str, ...]:
        """Rows without the blanks at their ends."""
        return tuple("".join(text for text, _ in row).rstrip() for row in self._cells)

    @property
    def cells(self) -> list[list[tuple[str, int]]]:
        """Rows of characters and the numbers of their looks."""
        return self._cells

    def apply(self, event: str, arguments: list[Any]) -> None:
        """Follow one event; those that do not change text or its looks are passed over."""
        if event == "grid_resize":
            _, width, height = arguments
            self._cells = [[(" ", 0)] * width for _ in range(height)]
        elif event == "grid_clear":
            self._cells = [[(" ", 0)] * len(row) for row in self._cells]
        elif event == "grid_line":
            self._line(*arguments[1:4])
        elif event == "grid_scroll":
            self._scroll(*arguments[1:6])
        elif event == "hl_attr_define":
            self.looks[arguments[0]] = arguments[1]
        elif event == "default_colors_set":
            self.looks[0] = {"foreground": arguments[0], "background": arguments[1]}

    def _line(self, row: int, column: int, runs: list[list[Any]]) -> None:
        look = 0
        for text, *more in runs:
            look = more[0] if more else look
            times = more[1] if len(more) > 1 else 1
            self._cells[row][column : column + times] = [(text, look)] * times
            column += times

    def _scroll(self, top: int, bottom: int, left: int, right: int, rows: int) -> None:
        order = range(top, bottom - rows) if rows > 0 else range(bottom - 1, top - rows - 1, -1)
        for row in order:
            self._cells[row][left:right] = self._cells[row + rows][left:right]


class Neovim:
    """One Neovim with the plugin on its runtime path and a screen.

    frames  what the screen showed, one tuple of lines for each time it was redrawn
    """

    def __init__(self, program: str, folder: Path, init: str) -> None:
        script = folder / "init.lua"
        script.write_text(f"vim.opt.runtimepath:prepend({str(PLUGIN)!r})\n{init}")
        home = {f"XDG_{name}_HOME": str(folder) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
        self._process = subprocess.Popen(
            [program, "--embed", "-n", "-i", "NONE", "-u", str(script)],
            cwd=folder,
            env=os.environ | home | {"NVIM_LOG_FILE": str(folder / "nvim.log")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._inbox: queue.Queue[list[Any] | None] = queue.Queue()
        self._screen = Screen()
        self._last_id = 0
        self.frames: list[tuple[str, ...]] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.call("nvim_ui_attach", COLUMNS, ROWS, {"ext_linegrid": True, "rgb": True})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # closes its pipes
            assert self._process.stdin is not None
            self._send([2, "nvim_command", ["qall!"]])
            try:
                self._process.wait(LIMIT_S)
                self._listener.join(LIMIT_S)  # before its pipe is closed
            except subprocess.TimeoutExpired:
                self._process.kill()
                raise

    @property
    def pid(self) -> int:
        """Of the process, which may be a child of a launcher."""
        return self._process.pid

    @property
    def screen(self) -> tuple[str, ...]:
        """The lines on the screen."""
        return self._screen.lines

    def html(self, rows: int, columns: int) -> str:
        """The upper left part of the screen, as a page of a browser."""
        lines = [
            "".join(_span(text, self._screen.looks, look) for text, look in row[:columns])
            for row in self._screen.cells[:rows]
        ]
        style = f"{_css(self._screen.looks[0])}; display: inline-block; padding: 12px"
        font = "font: 15px ui-monospace, Menlo, Consolas, monospace; line-height: 1.4"
        return f'<pre style="{style}; {font}">{chr(10).join(lines)}</pre>'

    @property
    def buffer(self) -> str:
        """The current buffer's text."""
        return "\n".join(self.call("nvim_buf_get_lines", 0, 0, -1, True))

    def call(self, method: str, *arguments: object) -> Any:
        """Call a function of Neovim's API; its error is an AssertionError."""
        self._last_id += 1
        number = self._last_id
        self._send([0, number, method, list(arguments)])
        while True:
            reply = self._receive()
            if reply is not None:
                assert reply[1] == number
                assert reply[2] is None, reply[2]
                return reply[3]

    def lua(self, code: str, *arguments: object) -> Any:
        """Run Lua; `...` are the arguments."""
        return self.call("nvim_exec_lua", code, list(arguments))

    def edit(self, path: Path, text: str, newline: str = "") -> None:
        """Open a file with this text and put the cursor where `$0` is, in insert mode."""
        before, _, after = text.partition("$0")
        path.write_text(before + after, newline=newline)
        self.call("nvim_command", f"edit {path}")
        row, column = before.count("\n") + 1, len(before.rpartition("\n")[2].encode())
        at_end = not after.partition("\n")[0]
        self.call("nvim_win_set_cursor", 0, [row, column])
        self.keys("A" if at_end else "i")

    def keys(self, keys: str) -> None:
        """Type; `<Esc>` and the like are keys."""
        self.call("nvim_input", keys)

    def type(self, text: str) -> None:
        """Type a text key by key, and see each of them on the screen before the next."""
        for mark in text:
            before = len(self.frames)
            self.keys("<lt>" if mark == "<" else mark)
            self.wait(lambda _, before=before: len(self.frames) > before)

    def wait(
        self, seen: Callable[[tuple[str, ...]], bool], limit_s: float = LIMIT_S
    ) -> tuple[str, ...]:
        """Wait until the screen is as it should be; returns it."""
        while not seen(self.screen):
            self._receive(limit_s)
        return self.screen

    def wait_for(self, text: str) -> tuple[str, ...]:
        """Wait until a text is on the screen."""
        return self.wait(lambda lines: any(text in line for line in lines))

    def wait_without(self, text: str) -> tuple[str, ...]:
        """Wait until a text is not on the screen."""
        return self.wait(lambda lines: not any(text in line for line in lines))

    def wait_buffer(self, text: str) -> None:
        """Wait until the current buffer holds a text; a line end at its end is not compared."""
        lines = text.removesuffix("\n").split("\n")
        try:
            self.wait_until(
                "vim.deep_equal(vim.api.nvim_buf_get_lines(0, 0, -1, true), ...)", lines
            )
        except AssertionError:
            assert self.buffer == "\n".join(lines)
            raise

    def run(self, command: str) -> str:
        """Run an Ex command; returns what it says."""
        return self.call("nvim_exec2", command, {"output": True})["output"].strip()

    def wait_until(self, condition: str, argument: object = None) -> None:
        """Wait until a Lua expression, in which `...` is the argument, is true."""
        check = f"local function check(...) return {condition} end local given = ..."
        wait = f"return vim.wait({LIMIT_S * 1000:.0f}, function() return check(given) end, 10)"
        assert self.lua(f"{check} {wait}", argument), condition

    def _send(self, message: Sequence[object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgpack.packb(message))
        self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for message in _messages(self._process.stdout):
            self._inbox.put(message)
        self._inbox.put(None)

    def _receive(self, limit_s: float = LIMIT_S) -> list[Any] | None:
        """Take the next message: a redraw goes to the screen, a reply is returned."""
        try:
            message = self._inbox.get(timeout=limit_s)
        except queue.Empty:
            raise AssertionError("waited in vain:\n" + "\n".join(self.screen)) from None
        assert message is not None, "Neovim is gone"
        if message[0] == 1:
            return message
        if message[1] == "redraw":
            for event, *calls in message[2]:
                for arguments in calls:
                    self._screen.apply(event, arguments)
                if event == "flush":
                    self.frames.append(self._screen.lines)
        return None


def _messages(stream: IO[bytes]) -> Iterator[list[Any]]:
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, unicode_errors="replace")
    while data := os.read(stream.fileno(), 65536):
        unpacker.feed(data)
        yield from unpacker


def _span(text: str, looks: dict[int, dict[str, Any]], look: int) -> str:
    return f'<span style="{_css(looks.get(look, {}))}">{escape(text)}</span>'


def _css(look: dict[str, Any]) -> str:
    names = {"foreground": "color", "background": "background"}
    said = [f"{names[key]}: #{look[key]:06x}" for key in names if look.get(key, -1) >= 0]
    said += ["font-weight: bold"] if look.get("bold") else []
    return "; ".join([*said, "font-style: italic"] if look.get("italic") else said)
