"""VS Code takes half a minute to open: its tests run when asked for, by `make test-editors`."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support import vscode
from tests.support.vscode import CodeServer, Window
from tests.support.window import ARTIFACTS, FILLS, is_, scripted_program, settings

collect_ignore_glob = [] if os.environ.get("SFUMATO_EDITORS") else ["test_*.py"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all windows."""
    if reason := vscode.missing():
        pytest.skip(reason)
    with vscode.browser() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Window]:
    """One window for all tests of suggestions, whose engine fills what FILLS says."""
    folder = tmp_path_factory.mktemp("vscode")
    usual = settings(scripted_program(folder, fills=FILLS))
    with (
        CodeServer(folder / "code-server", usual) as server,
        vscode.window(server, browser) as first,
    ):
        first.open("first.py", "x = $0")
        is_(first, "idle")
        server.follows_settings(first)
        first.close()
        yield first


@pytest.fixture
def code(opened: Window, request: pytest.FixtureRequest) -> Iterator[Window]:
    """That window, with a picture of how the test left it."""
    yield opened
    opened.shoot(ARTIFACTS / f"{request.node.name}.png")
    opened.close()
