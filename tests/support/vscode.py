"""A real VS Code window: code-server in a headless Chromium, driven by Playwright."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psutil
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

EXTENSION = Path(__file__).parents[2] / "editors" / "vscode" / "dist" / "sfumato.vsix"

LIMIT_S = 60.0
"""Bound of every wait; none is expected to come near it."""

SETTINGS: Mapping[str, object] = {
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.editor.enablePreview": False,
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "extensions.ignoreRecommendations": True,
    "editor.accessibilitySupport": "off",
    "editor.minimap.enabled": False,
    "editor.wordBasedSuggestions": "currentDocument",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "git.enabled": False,
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": False,
    "files.autoSave": "off",
}

GHOST = ".ghost-text-decoration, .ghost-text, .suggest-preview-text"
"""Pieces of ghost text, as a CSS selector."""

GHOST_TEXT = r"""selector => {
    const pieces = [...document.querySelectorAll(selector)];
    const outer = pieces.filter(piece => !piece.parentElement.closest(selector));
    const boxes = outer.map(piece => [piece.getBoundingClientRect(), piece.textContent]);
    boxes.sort(([a], [b]) => Math.round(a.top - b.top) || a.left - b.left);
    const text = boxes.map(([_, text]) => text).join("");
    return text.replace(/[\s\u00b7]/g, "");
}"""
"""The ghost text, read line by line, without blanks."""

COUNT_GAPS = """selector => {
    window.gaps = 0;
    const look = () => {
        window.gaps += document.querySelector(selector) ? 0 : 1;
        window.looking = requestAnimationFrame(look);
    };
    look();
}"""
"""Begins to count the frames in which there is no ghost text."""

ATTEMPTS = 200
"""What the page does not show is looked at so many times within the limit."""

NO_GALLERY = {"serviceUrl": "http://127.0.0.1:9"}
"""Nobody listens there: nothing is asked of a gallery of extensions."""

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def missing() -> str | None:
    """What these tests lack on this machine, None if they can run."""
    for program in ("code-server", "chromium"):
        if shutil.which(program) is None:
            return f"{program} is not on PATH"
    return None if EXTENSION.exists() else "the extension is not built; run `make vscode`"


class CodeServer:
    """The half of VS Code that runs extensions, with ours installed and folders of its own."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, object],
        environment: Mapping[str, str] | None = None,
        extensions: Sequence[Path] = (),
    ) -> None:
        self._environment = environment or {}
        self._data, self._extensions = folder / "data", folder / "extensions"
        self.workspace = folder / "workspace"
        self.workspace.mkdir(parents=True)
        self.settings(settings)
        for extension in (EXTENSION, *extensions):
            self._run("--install-extension", str(extension), "--force").wait(LIMIT_S)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        flags = ["--auth", "none", "--bind-addr", f"127.0.0.1:{self.port}"]
        quiet = ["--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"]
        self._log = folder / "server.log"
        self._process = self._run(*flags, *quiet, str(self.workspace), log=self._log)

    def __enter__(self) -> Self:
        for _ in range(ATTEMPTS):
            if "HTTP server listening" in self._log.read_text():
                return self
            time.sleep(LIMIT_S / ATTEMPTS)
        raise TimeoutError(self._log.read_text())

    def __exit__(self, *_: object) -> None:
        for child in self.children():
            with suppress(psutil.NoSuchProcess):  # it may have ended with one before it
                child.kill()
        self._process.kill()
        self._process.wait(LIMIT_S)

    def children(self, word: str = "") -> list[psutil.Process]:
        """Processes under this one whose command line has a word in it."""
        every = psutil.Process(self._process.pid).children(recursive=True)
        return [child for child in every if word in " ".join(_command_line(child))]

    def settings(self, changed: Mapping[str, object]) -> None:
        """Write the user's settings; a window that is open follows."""
        self.now = changed
        for level in ("User", "Machine"):  # paths of programs are taken from the latter
            self._write(level, changed)

    def follows_settings(self, window: "Window") -> None:
        """Wait until changes are noticed, which begins some time after a window opens.

        It has a file open, whose line numbers go away for a moment.
        """
        numbers = window.page.locator(".line-numbers")
        for attempt in range(ATTEMPTS):
            changed = {"editor.lineNumbers": "off", "sfumato.attempt": attempt}
            self._write("Machine", {**self.now, **changed})
            with suppress(AssertionError):
                expect(numbers).to_have_count(0, timeout=LIMIT_S * 1000 / ATTEMPTS)
                break
        self._write("Machine", self.now)
        numbers.first.wait_for()

    def _write(self, level: str, changed: Mapping[str, object]) -> None:
        path = self._data / level / "settings.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_suffix(".new")  # a file half written would be read, too
        whole.write_text(json.dumps({**SETTINGS, **changed}))
        whole.replace(path)

    def read_settings(self) -> dict[str, Any]:
        """The settings of this machine, which the window may have changed."""
        return json.loads((self._data / "Machine" / "settings.json").read_text())

    def _run(self, *words: str, log: Path | None = None) -> "subprocess.Popen[bytes]":
        folders = ["--user-data-dir", str(self._data), "--extensions-dir", str(self._extensions)]
        program = shutil.which("code-server") or "code-server"  # PATH may be another one for it
        with Path(log or os.devnull).open("wb") as output:
            return subprocess.Popen(
                [program, *folders, *words],
                env={
                    **os.environ,
                    "EXTENSIONS_GALLERY": json.dumps(NO_GALLERY),
                    **self._environment,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


class Window:
    """One window on the workspace."""

    def __init__(self, page: Page, server: CodeServer) -> None:
        self.page = page
        self.server = server
        self.file = server.workspace

    @property
    def editor(self) -> Locator:
        """The lines of the text that are on screen."""
        return self.page.locator(".editor-instance .view-lines").first

    @property
    def status(self) -> Locator:
        """Our item in the status bar."""
        return self.page.get_by_role("button", name=re.compile("Sfumato:"))

    def open(self, name: str, text: str) -> None:
        """Make a file, open it, and put the cursor where `$0` is."""
        before, _, after = text.partition("$0")
        if self.file.is_file():
            self.file.unlink()  # closed long since, and no part of the next test
        self.file = self.server.workspace / name
        self.file.write_text(before + after, newline="")
        self.page.keyboard.press("Control+P")  # the list of files may not have noticed it yet
        self.page.locator(".quick-input-widget input").fill(str(self.file))
        self.page.locator(".quick-input-list-entry", has_text=name).first.click()
        self.page.locator(f".tab.active[data-resource-name='{name}']").wait_for()
        self.editor.click()
        units = len(before.rpartition("\n")[2].encode("utf-16-le")) // 2
        at_end = not after.partition("\n")[0].strip()
        self.go_to(before.count("\n") + 1, 1 if at_end else units + 1)
        if at_end:  # a tab is several columns there
            self.page.keyboard.press("End")

    def go_to(self, line: int, column: int) -> None:
        """Put the cursor at a place, both counted from 1."""
        self.page.keyboard.press("Control+G")
        self.page.locator(".quick-input-widget input").wait_for()
        self.page.keyboard.type(f"{line}:{column}")
        self.page.keyboard.press("Enter")
        self.page.locator(".quick-input-widget").wait_for(state="hidden")

    def command(self, title: str) -> None:
        """Run a command by its title."""
        self.page.keyboard.press("F1")
        self.page.locator(".quick-input-widget input").wait_for()
        self.page.keyboard.type(title)
        self.page.locator(".quick-input-list-entry", has_text=title).first.click()

    def choose(self, text: str) -> None:
        """Press a button of a notification."""
        self.page.locator(".notifications-toasts").get_by_role("button", name=text).click()

    def answer(self, text: str) -> None:
        """Press a button of a notification that stands for a diff, which is closed then."""
        self.choose(text)
        self.page.locator(".monaco-diff-editor").wait_for(state="detached")
        self.page.locator(".editor-instance .monaco-editor.focused").wait_for()

    def pick_folder(self, folder: Path) -> None:
        """Answer VS Code's own dialog for folders."""
        self.page.locator(".quick-input-widget input").fill(f"{folder}/")
        listed = self.page.locator(".quick-input-list-entry", has_text=next(folder.iterdir()).name)
        listed.wait_for()
        self.page.locator(".quick-input-widget").get_by_role(
            "button", name="Use This Clone"
        ).click()

    def says(self, text: str) -> None:
        """Wait until a notification says this, and close it."""
        toast = self.page.locator(".notification-toast", has_text=text)
        toast.wait_for()
        toast.hover()
        toast.locator(".codicon-notifications-clear").click()
        toast.wait_for(state="detached")

    @contextmanager
    def beside(self) -> Generator["Window"]:
        """Another window on the same workspace."""
        page = self.page.context.new_page()
        page.set_default_timeout(LIMIT_S * 1000)
        page.goto(self.page.url, wait_until="commit")
        page.locator(".monaco-workbench").wait_for()
        yield Window(page, self.server)
        page.close()

    def close(self) -> None:
        """Save and close the file that is open."""
        self.page.keyboard.press("Escape")
        self.saved()
        self.page.keyboard.press("Control+K")
        self.page.keyboard.press("w")

    def type(self, text: str) -> None:
        """Type key by key."""
        self.page.keyboard.type(text)

    def press(self, key: str) -> None:
        """Press one key, as Playwright names it."""
        self.page.keyboard.press(key)

    def saved(self) -> str:
        """Save the file that is open, if it was changed; returns its text."""
        self.wait_until(self._is_clean)
        return self.file.read_bytes().decode()

    def _is_clean(self) -> bool:
        if self.page.locator(".tab.active.dirty").count() == 0:
            return True
        self.page.keyboard.press("Control+S")
        return False

    @property
    def ghost(self) -> str:
        """The ghost text that is shown, without blanks."""
        return self.page.evaluate(GHOST_TEXT, GHOST)

    def wait_for_some_ghost(self) -> str:
        """Wait until any ghost text is shown; returns it, without blanks."""
        self.page.wait_for_function(GHOST_TEXT, arg=GHOST)
        return self.ghost

    def wait_for_ghost(self, text: str) -> None:
        """Wait until this ghost text is shown; blanks are not compared."""
        wanted = re.sub(r"\s", "", text)
        is_shown = f"([selector, wanted]) => ({GHOST_TEXT})(selector) == wanted"
        self.page.wait_for_function(is_shown, arg=[GHOST, wanted])

    @contextmanager
    def never_without_ghost(self) -> Generator[None]:
        """Assert that each frame the window draws meanwhile has ghost text in it."""
        self.page.evaluate(COUNT_GAPS, GHOST)
        yield
        assert self.page.evaluate("cancelAnimationFrame(looking), gaps") == 0

    def wait_without_ghost(self) -> None:
        """Wait until no ghost text is shown."""
        expect(self.page.locator(GHOST)).to_have_count(0)

    def wait_for_text(self, text: str) -> None:
        """Wait until the file, saved, holds a text."""
        with suppress(TimeoutError):
            self.wait_until(lambda: self.saved() == text)
        found = self.saved()
        assert found == text, f"the file holds {found!r}"

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait for what the page does not show. Raises TimeoutError."""
        for _ in range(ATTEMPTS):
            if holds():
                return
            self.page.wait_for_timeout(LIMIT_S * 1000 / ATTEMPTS)
        raise TimeoutError

    def shoot_editor(self, path: Path) -> None:
        """Keep a picture of the text alone, as it is seen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.locator(".editor-group-container").first.screenshot(path=path)

    def draw(self, html: str, path: Path) -> None:
        """Keep a picture of another page: the first element of its body."""
        page = self.page.context.new_page()
        page.set_content(html)
        page.locator("body > *").first.screenshot(path=path)
        page.close()

    def shoot(self, path: Path) -> None:
        """Keep a picture of the window."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)


@contextmanager
def browser() -> Generator[Browser]:
    """A browser for windows; there can be one at a time."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        expect.set_options(timeout=LIMIT_S * 1000)
        yield chromium
        chromium.close()


@contextmanager
def window(server: CodeServer, browser: Browser) -> Generator[Window]:
    """A window, ready to be typed in, of somebody who was never there before."""
    context = browser.new_context(viewport={"width": 1000, "height": 640})
    page = context.new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    page.goto(f"http://127.0.0.1:{server.port}/", wait_until="commit")
    page.locator(".monaco-workbench").wait_for()
    yield Window(page, server)
    context.close()
