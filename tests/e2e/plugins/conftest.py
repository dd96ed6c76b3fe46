"""What tests of other people's plugins need: a real Neovim, and a corner for engine processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.neovim import neovims
from tests.support.processes import corner


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with corner(monkeypatch) as path:
        yield path


@pytest.fixture(params=neovims() or [""])
def program(request: pytest.FixtureRequest) -> str:
    if not request.param:
        pytest.skip("there is no Neovim")
    return request.param
