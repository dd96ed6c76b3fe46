"""Somebody types for half an hour: does the memory of server and engine stay flat?

    .venv/bin/python -m tests.bench.soak [--minutes 30] [--plot PNG] [FILE...]

The real server with the model that ships. A typist opens the files (default: three of this
repository) in turn, goes to a line, empties it and types it again at 40 to 160 ms a key, asking at
every key; now and then takes what is suggested, deletes, asks by hand, moves away or closes the
file. Prints resident memory now and then, the growth over the second half, and one JSON line last.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from engine.rendezvous import DEFAULT_MODEL
from tests.support.fake_editor import FakeEditor, Message, initialize_params

FILES = ("engine/service.py", "lsp_server/scheduler.py", "grammars/gate.py")
KEY_S = (0.04, 0.16)
SAMPLE_S = 10.0
VISIT_S = 20.0
PARAMS = initialize_params(deadline_ms=2_000, min_chance_percent=0)
"""A busy machine, or a model that is in doubt, must not leave the typist without suggestions."""


def main() -> None:
    """Type, sample, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", type=Path, default=[Path(name) for name in FILES])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    with session() as (editor, processes):
        typist = Typist(editor, options.files)
        samples = list(typist.type_for(options.minutes * 60, processes))
    growth = {name: round(grown_mb(samples, name), 2) for name in processes}
    facts = {
        "minutes": options.minutes,
        "requests": typist.requests,
        "shown": typist.shown,
        "accepted": typist.accepted,
        "last_mb": samples[-1],
        "growth_second_half_mb": growth,
    }
    if options.plot:
        draw(samples, options.plot)
    print(json.dumps(facts))


Sample = dict[str, float]
"""Resident megabytes by process, and "minute"."""


@contextmanager
def session() -> Generator[tuple[FakeEditor, dict[str, psutil.Process]]]:
    """An editor on a server and an engine of its own, and both processes; they end with it."""
    with tempfile.TemporaryDirectory(prefix="sf") as folder:
        private = {"XDG_RUNTIME_DIR": folder, "XDG_STATE_HOME": folder}
        command = [str(Path(sys.executable).with_name("sfumato")), "lsp"]
        began_s = time.time()
        environment = dict(os.environ) | private
        editor = FakeEditor(command, Path(folder), environment, PARAMS)
        with editor:
            editor.status("idle")
            processes = {"server": _started(began_s, "lsp"), "engine": _started(began_s, "engine")}
            try:
                yield editor, processes
            finally:
                processes["engine"].terminate()


def _started(after_s: float, word: str) -> psutil.Process:
    """The newest process since then that has this word among its arguments."""
    model = str(DEFAULT_MODEL)
    found = [
        process
        for process in psutil.process_iter(["cmdline", "create_time"])
        if word in (line := process.info["cmdline"] or [])
        and process.info["create_time"] >= after_s - 1
        and (model in line or word == "lsp")
    ]
    return max(found, key=lambda process: process.info["create_time"])


class Typist:
    """Types the lines of files again, with the habits of a person."""

    def __init__(self, editor: FakeEditor, files: list[Path]) -> None:
        self._editor = editor
        self._files = files
        self._draw = random.Random(0)
        self._asked: list[int] = []
        self.requests = self.shown = self.accepted = 0

    def type_for(self, length_s: float, processes: dict[str, psutil.Process]) -> Iterator[Sample]:
        """Type until the time is over; yields, and prints, a sample every ten seconds."""
        began_s = time.monotonic()
        sampled_s = -SAMPLE_S
        while (now_s := time.monotonic() - began_s) < length_s:
            self._visit(self._draw.choice(self._files), min(VISIT_S, length_s - now_s))
            now_s = time.monotonic() - began_s
            if now_s - sampled_s >= SAMPLE_S:
                sampled_s = now_s
                sample = {"minute": now_s / 60} | {
                    name: process.memory_info().rss / 2**20 for name, process in processes.items()
                }
                print({name: round(value, 1) for name, value in sample.items()}, flush=True)
                yield sample

    def _visit(self, file: Path, length_s: float) -> None:
        """Open a file, type some of its lines, close it."""
        editor = self._editor
        editor.open(file.read_text(), uri=f"file:///ws/{file.name}")
        end_s = time.monotonic() + self._draw.uniform(0.2, 1.0) * length_s
        lines = [line for line in editor.buffer.split("\n") if len(line.strip()) > 8]
        while time.monotonic() < end_s:
            line = self._draw.choice(lines)
            start = editor.buffer.find(line)
            if start >= 0:
                editor.edit(start, start + len(line), "")
                self._type(line)
        editor.notify("textDocument/didClose", {"textDocument": {"uri": editor.uri}})
        self._read_replies()

    def _type(self, line: str) -> None:
        editor = self._editor
        end = editor.cursor + len(line)
        while editor.cursor < end:
            editor.type(line[len(line) - (end - editor.cursor)])
            if self._draw.random() < 0.03:
                editor.edit(editor.cursor - 1, editor.cursor, "")
            number = editor.ask(invoked=self._draw.random() < 0.02)
            self.requests += 1
            self._read_replies()  # of requests that this one has superseded
            self._asked.append(number)
            time.sleep(self._draw.uniform(*KEY_S))
            if self._draw.random() < 0.05 and self._accept():
                return

    def _accept(self) -> bool:
        """Wait for what was asked last and take it, if there is something."""
        items = self._read_replies()
        if not items:
            return False
        self._editor.accept(items[0])
        command = {key: items[0]["command"][key] for key in ("command", "arguments")}
        self._editor.reply(self._editor.request("workspace/executeCommand", command))
        self.accepted += 1
        return True

    def _read_replies(self) -> list[Message]:
        """Every reply that is due; returns the items of the last."""
        items: list[Message] = []
        for number in self._asked:
            items = self._editor.reply(number) or []
            self.shown += bool(items)
        self._asked.clear()
        return items


def grown_mb(samples: list[Sample], name: str) -> float:
    """Median of the last quarter less that of the third: what the second half added."""
    half = [sample[name] for sample in samples[len(samples) // 2 :]]
    third, last = sorted(half[: len(half) // 2]), sorted(half[len(half) // 2 :])
    return last[len(last) // 2] - third[len(third) // 2] if third else 0.0


def draw(samples: list[Sample], path: Path) -> None:
    """Memory against time."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.5))
    for name in ("server", "engine"):
        axes.plot([s["minute"] for s in samples], [s[name] for s in samples], label=name)
    axes.set(xlabel="minutes of typing", ylabel="resident MB")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
