"""What was measured, as tables, as one JSON object and as a picture."""

import json
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench.holes import TOKENS, Contender
from bench.keyboard import Keyboard
from bench.large import Large
from bench.machine import Machine
from bench.passes import Pass
from bench.syntax import Checks
from bench.timing import Spread
from bench.typists import Crowd
from engine.types import EngineInfo


@dataclass(frozen=True, slots=True)
class Report:
    """One run. Times are milliseconds, medians with quartiles unless they say otherwise."""

    info: EngineInfo
    machine: Machine
    passes: list[Pass]
    prefill_ms: dict[int, Spread]
    contenders: list[Contender]
    keyboard: Keyboard
    checks: list[Checks]
    crowds: list[Crowd]

    def facts(self) -> dict[str, float | str | None]:
        """The named figures of the run."""
        own, hasty, rival, *others = self.contenders
        keyboard = self.keyboard
        step = next(one for one in self.passes if (one.rows, one.slots) == (1, 32))
        times = {one.name: one.taken_ms[32].median for one in self.contenders}
        facts = {
            "tokens_per_s_32": own.tokens_per_s(32),
            "vs_autoregressive_32": times[rival.name] / times[own.name],
            "vs_autoregressive_32_one_pass": times[rival.name] / times[hasty.name],
            "vs_llama_cpp_32": times[others[0].name] / times[own.name] if others else None,
            "step_over_floor_32": step.over_floor,
            "keystroke_p50_ms": keyboard.p50_ms,
            "keystroke_p95_ms": keyboard.p95_ms,
            "keystroke_p99_ms": keyboard.p99_ms,
            "typed_through_p95_ms": keyboard.typed_through_p95_ms,
            "long_file_ratio": keyboard.long_file_ratio,
            "loaded_ratio": keyboard.loaded_ratio,
            "cold_start_ms": keyboard.cold_start_ms,
            "cancel_ms": keyboard.cancel_ms.median,
            "peak_rss_mb": keyboard.server_mb + keyboard.engine_mb,
            "offered": keyboard.offered,
            "check_ms": max((one.sound_ms.median for one in self.checks), default=None),
            "check_after_key_ms": max((one.key_ms.median for one in self.checks), default=None),
            "load": psutil.getloadavg()[0],
        }
        for crowd in self.crowds:
            facts[f"typists_{crowd.typists}_p95_ms"] = crowd.p95_ms
            facts[f"typists_{crowd.typists}_tokens_per_s"] = crowd.tokens_per_s
        named = {"version": self.info.version, "model": self.info.model, "dtype": self.info.dtype}
        return named | {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in facts.items()
        }

    def to_json(self) -> str:
        """The facts on one line."""
        return json.dumps(self.facts())


def print_report(report: Report, console: Console) -> None:
    """All tables, one below the other."""
    machine, keyboard = report.machine, report.keyboard
    console.print(
        f"{report.info.model} on {report.info.device}, {report.info.dtype}, threads: "
        f"{report.info.threads}; load {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores\n"
        f"memory {machine.stream_gb_s:.1f} GB/s, weights {machine.read_gb_s:.1f} GB/s, matrix "
        f"products {machine.gemm_gflop_s:.0f} GFLOP/s\n",
        highlight=False,
    )
    console.print(_passes(report.passes), _prefill(report.prefill_ms), _holes(report.contenders))
    rows = {
        "keystroke p50, p95, p99": (
            f"{keyboard.p50_ms:.0f}, {keyboard.p95_ms:.0f}, {keyboard.p99_ms:.0f}"
        ),
        "typed through, p95": f"{keyboard.typed_through_p95_ms or float('nan'):.1f}",
        "cold start to the first answer": f"{keyboard.cold_start_ms:.0f}",
        "cancelled to the next draft": str(keyboard.cancel_ms),
        "10,000 lines over 100 lines": f"{keyboard.long_file_ratio:.2f}",
        "every core busy over none": f"{keyboard.loaded_ratio:.2f}",
        "memory, server and engine, MB": f"{keyboard.server_mb} + {keyboard.engine_mb}",
    }
    table = _table("at the keyboard", "ms")
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table, _checks(report.checks), _crowds(report.crowds))


def print_large(name: str, large: Large, console: Console) -> None:
    """A step of somebody else's model, as a table."""
    machine = large.machine
    console.print(
        f"{name}, {large.parameters / 1e9:.2f}B weights, {large.gigabytes:.1f} GB read a step\n"
        f"memory {machine.stream_gb_s:.0f} GB/s, matrix products "
        f"{machine.gemm_gflop_s:.0f} GFLOP/s",
        highlight=False,
    )
    table = _table("one step, 1 x 32", "ms", "floor ms", "of the floor", "steps/s")
    shares = f"{large.floor_ms:.1f}", f"{large.of_floor:.2f}", f"{large.steps_per_s:.1f}"
    table.add_row("the context at hand", str(large.step_ms), *shares)
    table.add_row("the context read anew", str(large.refresh_ms), "", "", "")
    console.print(table)


def draw_report(report: Report, path: Path) -> None:
    """Holes and steps as a PNG."""
    import matplotlib  # half a second to import

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5))
    for one in report.contenders:
        left.plot(TOKENS, [one.taken_ms[n].median for n in TOKENS], marker="o", label=one.name)
    left.set(xlabel="tokens in the hole", ylabel="ms to the finished hole", xticks=TOKENS)
    left.legend()
    names = [f"{one.rows} x {one.slots}" for one in report.passes]
    right.bar(names, [one.over_floor for one in report.passes])
    right.axhline(1.5, linestyle="--", color="gray")
    right.set(xlabel="rows x slots", ylabel="time of a step / its floor")
    figure.suptitle(f"{report.info.model}, {report.info.dtype}, threads: {report.info.threads}")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    return table


def _passes(passes: list[Pass]) -> Table:
    table = _table("one step, rows x slots", "ms", "floor ms", "times the floor")
    for one in passes:
        name = f"{one.rows} x {one.slots}"
        table.add_row(name, str(one.taken_ms), f"{one.floor_ms:.2f}", f"{one.over_floor:.1f}")
    return table


def _prefill(prefill_ms: dict[int, Spread]) -> Table:
    table = _table("reading on, new tokens", "ms", "ms per token")
    for tokens, taken_ms in prefill_ms.items():
        table.add_row(str(tokens), str(taken_ms), f"{taken_ms.median / tokens:.3f}")
    return table


def _checks(checks: list[Checks]) -> Table:
    table = _table(
        "ms of the syntax gate, lines",
        "a key and a fill",
        "sound fill",
        "faulty fill",
        "whole file",
    )
    for one in checks:
        times = (one.key_ms, one.sound_ms, one.faulty_ms, one.whole_ms)
        table.add_row(f"{one.lines:,}", *map(str, times))
    return table


def _crowds(crowds: list[Crowd]) -> Table:
    names = ("answered", "p50 ms", "p95 ms", "busy", "tokens/s", "least, of the mean")
    table = _table("typists at once", *names)
    for one in crowds:
        table.add_row(
            str(one.typists),
            str(len(one.answered_ms)),
            f"{one.p50_ms or float('nan'):.0f}",
            f"{one.p95_ms or float('nan'):.0f}",
            str(one.busy),
            f"{one.tokens_per_s:.0f}",
            f"{one.least:.2f}",
        )
    return table


def _holes(contenders: list[Contender]) -> Table:
    table = _table("ms to a finished hole, tokens", *map(str, TOKENS), "tokens/s at 32")
    for one in contenders:
        cells = [str(one.taken_ms[n]) for n in TOKENS]
        table.add_row(one.name, *cells, f"{one.tokens_per_s(32):.0f}")
    return table
