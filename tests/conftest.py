"""What holds for every test: threads wait asleep, and the slow tests come last."""

import pytest

from engine.threads import wait_passively

wait_passively()  # before any test imports torch


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long to look for an order of messages that breaks the server."""
    parser.addoption("--interleavings", type=int, default=300, help="orders of messages to try")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order by what a test starts: functions before whole processes."""
    items.sort(key=lambda item: "e2e" in item.path.parts)
