"""Counts in one file, to which several editors add."""

import logging
from pathlib import Path

import filelock
import pytest

from lsp_server import statistics
from lsp_server.cli import main
from lsp_server.statistics import BATCH, Statistics, Summary, summary_of

NOTHING = Summary(0, 0, 0, 0, None, None)


def test_two_editors_add_to_one_file(tmp_path: Path) -> None:
    file = tmp_path / "state" / "statistics.json"
    editors = [Statistics(file), Statistics(file)]
    for editor in editors:
        editor.count("shown")
        editor.count("accepted", 8)
        editor.waited(100)
        editor.save()
    found = summary_of(file)
    assert (found.shown, found.accepted, found.characters_saved) == (2, 2, 16)
    assert editors[0].summary() == found


def test_percentiles_are_within_a_tenth(tmp_path: Path) -> None:
    counts = Statistics(tmp_path / "statistics.json")
    for spent_ms in range(1, 101):
        counts.waited(spent_ms)
    found = counts.summary()
    assert found.p50_ms == pytest.approx(50, rel=0.1)
    assert found.p95_ms == pytest.approx(95, rel=0.1)


def test_nothing_is_written_for_nothing(tmp_path: Path) -> None:
    Statistics(tmp_path / "statistics.json").save()
    assert list(tmp_path.iterdir()) == []
    assert summary_of(tmp_path / "statistics.json") == NOTHING


def test_they_are_saved_now_and_then(tmp_path: Path) -> None:
    counts = Statistics(tmp_path / "statistics.json")
    for _ in range(BATCH + 1):
        counts.count("shown")
    assert summary_of(tmp_path / "statistics.json").shown == BATCH + 1


@pytest.mark.parametrize("text", ["", "[]", '{"shown": "many"}', "\x00"])
def test_a_spoilt_file_is_begun_anew(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "statistics.json"
    file.write_text(text)
    counts = Statistics(file)
    counts.count("shown")
    with caplog.at_level(logging.WARNING):
        counts.save()
    assert summary_of(file).shown == 1
    assert "begun anew" in caplog.text


def test_counts_that_cannot_be_saved_are_kept_for_later(tmp_path: Path) -> None:
    file = tmp_path / "statistics.json"
    counts = Statistics(file)
    counts.count("shown")
    with filelock.FileLock(f"{file}.lock"):
        counts.save(patience_s=0)
    assert not file.exists()
    counts.save()
    assert summary_of(file).shown == 1


def test_the_command_prints_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(statistics, "path", lambda: tmp_path / "statistics.json")
    counts = Statistics(statistics.path())
    counts.count("shown")
    counts.save()
    assert main(["stats"]) == 0
    out = capsys.readouterr().out
    assert "shown             1\n" in out
    assert "p50_ms            -\n" in out
