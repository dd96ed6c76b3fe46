"""Problems of the kinds that others publish, made up here: read, filled, tested behind walls."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from engine.errors import CorpusError
from engine.infill import Engine
from engine.train.problems import Problem, read_problems, solve
from engine.train.sandbox import output, refusal
from lsp_server.cli import main
from tests.support.tiny_model import tiny_tokenizer, write_tiny_checkpoint

INFILLING = {
    "task_id": "Made/0",
    "prompt": "def twice(number):\n",
    "suffix": "    return result\n",
    "canonical_solution": "    result = 2 * number\n",
    "test": "def check(candidate):\n    assert candidate(4) == 8\n",
    "entry_point": "twice",
}
SAFIM = {
    "task_id": "made-1",
    "lang": "python",
    "eval_prompt": "number = int(input())\n{{completion}}\nprint(number)\n",
    "ground_truth": "number += 1",
    "unit_tests": json.dumps([{"input": "4\n", "output": ["5"]}, {"input": "-1", "output": ["0"]}]),
}
JAVA = SAFIM | {"task_id": "made-2", "lang": "java"}

walled = pytest.mark.skipif(refusal() is not None, reason=str(refusal()))


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def problem(row: dict[str, Any], folder: Path) -> Problem:
    return read_problems(written(folder / "problems.jsonl", row))[0]


@walled
@pytest.mark.parametrize(
    ("row", "right", "wrong"),
    [
        (INFILLING, "    result = number + number\n", "    result = number\n"),
        (SAFIM, "number = number - -1", "number = 5"),
    ],
    ids=["infilling", "safim"],
)
def test_a_fill_passes_when_the_program_does_what_is_asked(
    row: dict[str, Any], right: str, wrong: str, tmp_path: Path
) -> None:
    found = problem(row, tmp_path)
    assert found.passes(found.truth)
    assert found.passes(right)
    assert not found.passes(wrong)
    assert not found.passes("    this is no Python\n")


@walled
@pytest.mark.parametrize(
    "program",
    [
        "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)",
        "open('/var/tmp/left behind', 'w')",
        "open({own!r}, 'a')",
        "x = bytearray(1 << 31)",
        "open('big', 'wb').write(bytes(1 << 22))",
        "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos.kill({pid}, 0)",
    ],
    ids=["network", "elsewhere", "own files", "memory", "disk", "processes"],
)
def test_a_program_cannot_reach_out(program: str, tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("whole")
    aimed = program.replace("{own!r}", repr(str(own))).replace("{pid}", str(os.getpid()))
    assert output(aimed, "") is None
    assert own.read_text() == "whole"


@walled
def test_a_program_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.train.sandbox.TIME_S", 0.5)
    assert output("import time\ntime.sleep(1000)", "") is None


@walled
def test_a_program_reads_and_prints() -> None:
    assert output("print(input() + '!')", "caf\u00e9") == "caf\u00e9!\n"


def test_both_kinds_are_read_and_other_languages_have_no_trials(tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, (INFILLING, SAFIM, JAVA))).encode()))
    found = read_problems(path)
    assert [one.identifier for one in found] == ["Made/0", "made-1", "made-2"]
    assert [len(one.trials) for one in found] == [1, 2, 0]
    assert found[1].prefix + found[1].truth + found[1].suffix == SAFIM["eval_prompt"].replace(
        "{{completion}}", SAFIM["ground_truth"]
    )


@pytest.mark.parametrize("content", ["", "not json", "[]", '{"task_id": "x"}', None])
def test_what_is_no_list_of_problems_is_refused(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CorpusError, match=r"problems\.jsonl") as caught:
        read_problems(path)
    assert "\n" not in str(caught.value)


def test_scores_count_what_is_exact_and_what_was_tested(tmp_path: Path) -> None:
    engine = Engine.load(write_tiny_checkpoint(tmp_path / "model"), "cpu", 1)
    problems = read_problems(written(tmp_path / "problems.jsonl", INFILLING, JAVA))
    results = solve(engine, tiny_tokenizer(), problems, lambda: None, tested=False)
    assert [(one.way, one.problems, one.tested, one.passed) for one in results] == [
        ("oracle length", 2, 0, None),
        ("unknown length", 2, 0, None),
    ]


def test_problems_are_measured_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.train.cli_eval.refusal", lambda: "tests are not run: no walls")
    path = written(tmp_path / "problems.jsonl", INFILLING)
    model, report = write_tiny_checkpoint(tmp_path / "model"), tmp_path / "scores.json"
    assert main(["eval", str(path), "--model", str(model), "--json", str(report)]) == 0
    shown = capsys.readouterr()
    assert "tests are not run: no walls" in shown.err
    assert "pass@1" in shown.out
    assert [row["passed"] for row in json.loads(report.read_text())["results"]] == [None, None]
