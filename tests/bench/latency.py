"""Warm inline completions through the real language server, as an editor sees them.

    .venv/bin/python -m tests.bench.latency [FILE]

Opens FILE (default: a file of this repository), goes to places spread over it, removes the rest of
the line and types it again, asking after every key as an automatic trigger does. Prints medians and
spread of the time from request to reply, the memory of both processes, and one JSON line last.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

from engine import __version__
from tests.support.fake_editor import FakeEditor, initialize_params

_PLACES, _KEYS, _WARM_UP = 24, 6, 3


def main() -> None:
    """Measure and print."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "engine/service.py")
    text = path.read_text()
    command = [str(Path(sys.executable).with_name("sfumato")), "lsp"]
    params = initialize_params(debounce_ms=0, deadline_ms=500)
    with tempfile.TemporaryDirectory() as folder:
        editor = FakeEditor(command, Path(folder), dict(os.environ), params)
        with editor:
            editor.status("idle")
            editor.open(text)
            asked_ms, kept_ms, offered = _type_through(editor)
            memory = _memory_mb()
    facts = {
        "version": __version__,
        "file_lines": text.count("\n"),
        "requests": len(asked_ms),
        "offered": offered,
        "p50_ms": round(statistics.median(asked_ms), 1),
        "p95_ms": round(statistics.quantiles(asked_ms, n=20)[-1], 1),
        "max_ms": round(max(asked_ms), 1),
        "typed_through_requests": len(kept_ms),
        "typed_through_p95_ms": round(statistics.quantiles(kept_ms, n=20)[-1], 1),
        "load": psutil.getloadavg()[0],
        **memory,
    }
    for name, value in facts.items():
        print(f"{name:24} {value}")
    print(json.dumps(facts))


def _type_through(editor: FakeEditor) -> tuple[list[float], list[float], int]:
    """Milliseconds of requests that diverged from what was shown, and of those that followed it."""
    asked_ms: list[float] = []
    kept_ms: list[float] = []
    offered = 0
    for count, (start, end) in enumerate(_places(editor.buffer)):
        rest = editor.buffer[start:end]
        editor.edit(start, end, "")
        ghost = ""
        for key in rest[:_KEYS]:
            editor.type(key)
            follows = ghost.startswith(key) and len(ghost) > 1
            began = time.perf_counter()
            item = editor.ghost()
            spent_ms = (time.perf_counter() - began) * 1000
            line_start = editor.buffer.rfind("\n", 0, editor.cursor) + 1
            ghost = ""
            if item is not None:
                typed = editor.buffer[line_start : editor.cursor]
                ghost = item["insertText"][len(typed) - item["range"]["start"]["character"] :]
            if count >= _WARM_UP:
                (kept_ms if follows else asked_ms).append(spent_ms)
                offered += item is not None and not follows
        editor.edit(editor.cursor, editor.cursor, rest[_KEYS:])
    return asked_ms, kept_ms, offered


def _places(text: str) -> list[tuple[int, int]]:
    """Behind the first word of lines spread over the text, to the end of the line."""
    places: list[tuple[int, int]] = []
    start = 0
    for line in text.split("\n"):
        word = len(line) - len(line.lstrip()) + len((line.split() or [""])[0])
        if len(line) - word > _KEYS:
            places.append((start + word, start + len(line)))
        start += len(line) + 1
    stride = max(1, len(places) // (_PLACES + _WARM_UP))
    return places[::stride][: _PLACES + _WARM_UP]


def _memory_mb() -> dict[str, int]:
    """Resident megabytes of the server and of the engine."""
    found: dict[str, int] = {}
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if "sfumato lsp" in line:
            found["server_rss_mb"] = process.memory_info().rss // 2**20
        elif "-m engine" in line or "sfumato engine" in line:
            found["engine_rss_mb"] = process.memory_info().rss // 2**20
    return found


if __name__ == "__main__":
    main()
