"""`sfumato doctor`: what was found, and what to do about what is missing."""

import asyncio
import importlib
import platform
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine import CheckpointError, EngineError, InfillRequest, Span, Suggestion, __version__
from engine.client import EngineClient
from engine.remote import endpoint
from engine.rendezvous import private_folder
from engine.shelf import model_folder
from engine.threads import SERVING_THREADS, usable_cores, wait_passively

PACKAGES = ("torch", "safetensors", "tokenizers", "tree-sitter", "pygls", "lsprotocol", "starlette")

LANGUAGE_IDS = (
    "python", "javascript", "typescript", "typescriptreact", "go", "rust", "java", "c", "cpp",
    "csharp", "ruby", "php", "shellscript", "html", "css", "json", "yaml", "toml", "lua", "sql",
    "kotlin", "swift",
)  # fmt: skip

_TRIAL = InfillRequest(b"def add(a, b):\n    return \n", Span(26, 26), "python", budget_ms=10_000.0)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for.

    state   "missing" where nothing works without it, "reduced" where something works less well
    advice  what to do; "" when all is well
    """

    what: str
    state: Literal["ok", "reduced", "missing"]
    found: str
    advice: str = ""


def examine(model: Path | None) -> int:
    """Print the findings; returns 1 when something essential is missing, else 0."""
    wait_passively()  # before torch, as the engine does
    model = model_folder(model)
    of_model: list[Callable[[], Finding]] = (
        [lambda: _endpoint(model)] if endpoint.is_in(model) else [_torch, lambda: _model(model)]
    )
    looks: list[Callable[[], Finding]] = [
        _versions,
        *of_model,
        _grammars,
        _socket,
        lambda: asyncio.run(_engine(model)),
    ]
    findings = [look() for look in looks]
    table = Table(box=None, show_header=False, pad_edge=False)
    styles = {"ok": "green", "reduced": "yellow", "missing": "red"}
    for finding in findings:
        text = f"{finding.found}\n→ {finding.advice}" if finding.advice else finding.found
        state = Text(finding.state, styles[finding.state])
        table.add_row(finding.what, state, Text(text, overflow="fold"))
    Console().print(table, highlight=False)
    return 1 if any(finding.state == "missing" for finding in findings) else 0


def _versions() -> Finding:
    found = [f"sfumato {__version__}", f"Python {platform.python_version()}"]
    absent: list[str] = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            absent.append(package)
    if absent:
        advice = f"install {', '.join(absent)}: `make setup`, or `pip install` in this environment"
        return Finding("versions", "missing", ", ".join(found), advice)
    return Finding("versions", "ok", ", ".join(found))


def _torch() -> Finding:
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:  # OSError: a shared library of it is missing
        advice = "install a build of torch for this machine"
        return Finding("device", "missing", f"torch cannot be imported: {error}", advice)
    cuda = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return Finding(
        "device", "ok", f"cpu, {usable_cores()} cores, {SERVING_THREADS} of them to fill with{cuda}"
    )


def _model(model: Path) -> Finding:
    try:
        from engine.families import describe, is_ours

        found = describe(model)
    except (EngineError, ImportError) as error:
        advice = "give another folder with --model, or restore this one"
        return Finding("model", "missing", str(error), advice)
    checked = "all checksums agree" if is_ours(model) else "somebody else's, so without checksums"
    return Finding("model", "ok", f"{model}, {found.family}, {checked}")


def _endpoint(model: Path) -> Finding:
    """Ask the server for a fill: whatever can be wrong with address, key or model shows then."""
    from engine.remote.engine import RemoteEngine

    try:
        with closing(RemoteEngine.load(model)) as engine:
            *_, answer = engine.infill(_TRIAL)
    except EngineError as error:
        advice = f"what is asked, and where, is in {model / endpoint.FILE}"
        return Finding("endpoint", "missing", str(error), advice)
    assert isinstance(answer, Suggestion)
    found = f"{engine.info.model} at {engine.info.device} fills a hole in"
    return Finding("endpoint", "ok", f"{found} {answer.timings.total_ms:.0f} ms")


def _grammars() -> Finding:
    from grammars import language_for

    names = {name: language_for(name) for name in LANGUAGE_IDS}
    found = ", ".join(language.name for language in names.values() if language)
    absent = ", ".join(name for name, language in names.items() if language is None)
    if absent:
        advice = f"fills for {absent} are not checked: pip install 'sfumato[languages]'"
        return Finding("grammars", "reduced", found or "none", advice)
    return Finding("grammars", "ok", found)


def _socket() -> Finding:
    try:
        return Finding("sockets", "ok", f"in {private_folder()}")
    except EngineError as error:
        return Finding("sockets", "missing", str(error))


async def _engine(model: Path) -> Finding:
    import psutil

    try:
        client = await EngineClient.find(model)
        if client is None:
            return Finding("engine", "ok", "not running; an editor or `sfumato fill` starts it")
        pid, info = await client.pid(), client.info
        await client.close()
    except CheckpointError:
        return Finding("engine", "missing", "cannot run without a model")
    except EngineError as error:
        return Finding("engine", "missing", str(error))
    memory_mb = psutil.Process(pid).memory_info().rss / 1e6
    return Finding(
        "engine",
        "ok",
        f"running, process {pid}, {memory_mb:.0f} MB: {info.model}, {info.whereabouts}",
    )
