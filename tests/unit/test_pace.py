"""How long it is worth waiting for the next key, by the keys before."""

from itertools import accumulate, repeat

import pytest

from lsp_server.pace import MOST_MS, Pace


def wait_ms(*between_ms: float) -> float:
    """After keys that were so far apart."""
    times = accumulate(between_ms, initial=0.0)
    pace = Pace(lambda: next(times) / 1000)
    for _ in range(len(between_ms) + 1):
        pace.key()
    return pace.wait_ms


@pytest.mark.parametrize(
    ("between_ms", "wait"), [(60, 75), (75, 75), (100, 50), (150, 0), (400, 0)]
)
def test_the_slower_the_keys_come_the_less_it_waits(between_ms: float, wait: float) -> None:
    assert wait_ms(*repeat(between_ms, 8)) == pytest.approx(wait)


def test_without_enough_to_go_by_it_waits() -> None:
    assert wait_ms() == wait_ms(300, 300) == MOST_MS


def test_pauses_and_what_a_program_does_tell_nothing() -> None:
    assert wait_ms(*repeat(5_000, 8)) == wait_ms(*repeat(1, 8)) == MOST_MS
    assert wait_ms(*repeat(100, 8), 5_000, 1, 1, 1) == pytest.approx(50)


def test_it_follows_who_types_faster_now() -> None:
    assert wait_ms(*repeat(300, 12), *repeat(60, 12)) == MOST_MS
