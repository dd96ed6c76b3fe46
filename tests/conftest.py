"""What holds for every test: threads wait asleep, and the slow tests come last."""

import pytest

from engine.threads import wait_passively

wait_passively()  # before any test imports torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order by what a test starts: functions before whole processes."""
    items.sort(key=lambda item: "e2e" in item.path.parts)
