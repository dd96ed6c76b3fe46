"""Benchmarks of others: problems with a hole, as JSON lines, and programs that test what fills it.

Two shapes are known. HumanEval-Infilling: `prompt`, `suffix`, `canonical_solution`, `test`,
`entry_point`. SAFIM: `eval_prompt` with {{completion}} for the hole, `ground_truth`, `lang` and
`unit_tests`, a JSON list of inputs with the outputs allowed. The problems are never kept here.
"""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from engine.errors import CorpusError
from engine.infill import Engine
from engine.tokenizer import Codec
from engine.train.sandbox import output
from engine.types import InfillRequest, Span, Suggestion

_HOLE = "{{completion}}"
_BUDGET_MS = 60_000.0
_MAX_LINES = 50


@dataclass(frozen=True, slots=True)
class Trial:
    """A run of the filled program: what it reads and may print; None: anything, if it succeeds."""

    stdin: str
    allowed: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Problem:
    """A text with a hole. `test` is put behind it for the trials, which are none without Python."""

    identifier: str
    language: str
    prefix: str
    suffix: str
    truth: str
    test: str
    trials: tuple[Trial, ...]

    def passes(self, fill: str) -> bool:
        """Whether the program so filled does what is asked, run in the sandbox."""
        program = f"{self.prefix}{fill}{self.suffix}{self.test}"
        return all(_passes(trial, program) for trial in self.trials)


@dataclass(frozen=True, slots=True)
class Result:
    """Shares of the problems, 0 to 1; `passed` is of those with trials, None where none was run."""

    way: str
    problems: int
    tested: int
    exact: float
    passed: float | None


def read_problems(path: Path) -> list[Problem]:
    """Read a JSONL file, gzipped or not. Raises CorpusError naming the line that is no problem."""
    try:
        content = path.read_bytes()
        lines = (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()
    except (OSError, EOFError) as error:
        raise CorpusError(f"{path} cannot be read: {error}") from error
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            problems.append(_safim(row) if "eval_prompt" in row else _infilling(row))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorpusError(
                f"{path}, line {number} is no problem of the HumanEval-Infilling or SAFIM kind:"
                f" {type(error).__name__} {error}"
            ) from error
    if not problems:
        raise CorpusError(f"{path} holds no problem")
    return problems


def _infilling(row: dict[str, Any]) -> Problem:
    test = f"\n{row['test']}\ncheck({row['entry_point']})\n"
    return Problem(
        row["task_id"],
        "python",
        row["prompt"],
        row["suffix"],
        row["canonical_solution"],
        test,
        (Trial("", None),),
    )


def _safim(row: dict[str, Any]) -> Problem:
    prefix, _, suffix = row["eval_prompt"].partition(_HOLE)
    tests = row.get("unit_tests") or []
    cases = json.loads(tests) if isinstance(tests, str) else tests
    trials = tuple(Trial(case["input"], tuple(case["output"])) for case in cases)
    language = row["lang"]
    runs = trials if language == "python" else ()
    return Problem(row["task_id"], language, prefix, suffix, row["ground_truth"], "", runs)


def solve(
    engine: Engine,
    tokenizer: Codec,
    problems: Sequence[Problem],
    progress: Callable[[], None],
    *,
    tested: bool,
) -> list[Result]:
    """Fill every hole with the length given and not given, and run the tests if `tested`."""
    results: list[Result] = []
    for way in ("oracle length", "unknown length"):
        exact: list[bool] = []
        passed: list[bool] = []
        for problem in problems:
            length = len(tokenizer.encode(problem.truth.encode()))
            fill = _fill(engine, problem, length if way == "oracle length" else None)
            exact.append(fill.strip() == problem.truth.strip())
            if tested and problem.trials:
                passed.append(problem.passes(fill))
            progress()
        share = mean(passed) if passed else None
        results.append(Result(way, len(exact), len(passed), mean(exact), share))
    return results


def _fill(engine: Engine, problem: Problem, length_tokens: int | None) -> str:
    place = len(problem.prefix.encode())
    request = InfillRequest(
        text=(problem.prefix + problem.suffix).encode(),
        hole=Span(place, place),
        language=problem.language,
        max_lines=_MAX_LINES,
        length_tokens=length_tokens,
        budget_ms=_BUDGET_MS,
    )
    *_, last = engine.infill(request)
    assert isinstance(last, Suggestion)
    return last.text


def _passes(trial: Trial, program: str) -> bool:
    printed = output(program, trial.stdin)
    if printed is None or trial.allowed is None:
        return printed is not None
    return any(printed.split() == allowed.split() for allowed in trial.allowed)
