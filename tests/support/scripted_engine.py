"""An engine that needs no weights: it fills every hole as its script says, one character a step.

As a program it is served in the place of `python -m engine`; the checkpoint folder given with
`--model` then holds the script (see `write_script`).
"""

import argparse
import json
import os
import sys
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event

from engine import (
    CheckpointError,
    Draft,
    EngineError,
    EngineInfo,
    InfillRequest,
    RequestTooLong,
    Suggestion,
    Timings,
    Verdict,
    WorkspaceChange,
    __version__,
)
from engine.batch import Batch
from engine.endpoints.options import add_options
from engine.rendezvous import Transport, checkpoint_checksum, rendezvous
from engine.service import serve

PROGRAM = (sys.executable, "-P", str(Path(__file__)))
"""For `EngineClient.connect(program=...)`."""


@dataclass(frozen=True)
class Script:
    """What a scripted engine does.

    answer      text of every fill; a request whose text contains "too long" raises RequestTooLong,
                one with "bug" a ZeroDivisionError, one with "crash" ends the process
    verdict     of every fill
    gate        a FIFO; each step waits for one byte out of it. "" for no gate
    journal     a FIFO; one line into it for each thing that happens. "" for none
    version     said in the handshake
    load_error  raised as CheckpointError instead of loading
    idle_s      seconds until it ends itself
    transport   it listens on
    """

    answer: str = "name"
    verdict: Verdict = "valid"
    gate: str = ""
    journal: str = ""
    version: str = __version__
    load_error: str = ""
    idle_s: float = 60.0
    transport: Transport = "unix"


def write_script(model: Path, script: Script) -> None:
    """Make a checkpoint folder that a scripted engine can load."""
    model.mkdir(exist_ok=True)
    (model / "SHA256SUMS").write_text("0000  script.json\n")
    (model / "script.json").write_text(json.dumps(asdict(script)))


class ScriptedEngine:
    """Stands in for `engine.infill.Engine`."""

    def __init__(self, script: Script, checksum: str = "") -> None:
        self.script = script
        self.batch = Batch()
        self.info = EngineInfo(script.version, "scripted", checksum, 0, "cpu", "float32", 1)

    def infill(self, request: InfillRequest) -> Generator[Draft | Suggestion, None, None]:
        """Yield a draft for every character of the answer, then the answer."""
        _raise_what_is_asked_for(request.text)
        answer = self.script.answer
        self._note("request")
        try:
            for step in range(1, len(answer) + 1):
                self._wait_for_gate()
                self._note(f"step {step}")
                masked = len(answer) - step
                yield Draft(answer[:step] + "\u2591" * masked, step, masked)
            timings = Timings(0.0, 20.0, 0.0, 20.0, 0, 0, len(answer), len(answer))
            yield Suggestion(answer, -0.5, self.script.verdict, timings)
        finally:
            self._note("closed")

    def index(self, change: WorkspaceChange) -> int:
        """Keep nothing, and say how many files there were."""
        return len(change.files)

    def _wait_for_gate(self) -> None:
        if self.script.gate and not os.read(self._gate(), 1):
            raise EngineError("The gate was closed.")

    def _gate(self) -> int:
        if not hasattr(self, "_gate_fd"):
            self._gate_fd = os.open(self.script.gate, os.O_RDWR)
        return self._gate_fd

    def _note(self, event: str) -> None:
        if self.script.journal:
            with Path(self.script.journal).open("a") as journal:
                journal.write(f"{event}\n")


class Waiting(ScriptedEngine):
    """Goes on when it is told to.

    begun  is set once it has been asked
    """

    def __init__(self) -> None:
        super().__init__(Script())
        self.begun = Event()
        self.read, self.write = os.pipe()

    def infill(self, request: InfillRequest) -> Generator[Draft | Suggestion, None, None]:
        self.begun.set()
        os.read(self.read, 1)
        yield from super().infill(request)


def _raise_what_is_asked_for(text: bytes) -> None:
    if b"too long" in text:
        raise RequestTooLong("The text is too long.")
    if b"bug" in text:
        raise ZeroDivisionError("a bug")
    if b"crash" in text:
        os._exit(3)


def load(model: Path, script: Script) -> ScriptedEngine:
    """Load as a real engine does: it may fail, and it takes a checksum from the folder."""
    if script.load_error:
        raise CheckpointError(script.load_error)
    return ScriptedEngine(script, checkpoint_checksum(model))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    add_options(parser)
    options = parser.parse_args()
    model: Path = options.model
    script = Script(**json.loads((model / "script.json").read_text()))
    try:
        if options.listen:
            from engine.endpoints.listen import listen, place_of

            listen(place_of(options), lambda: load(model, script))
        else:
            meeting = replace(rendezvous(model), transport=script.transport)
            serve(meeting, lambda: load(model, script), script.idle_s)
    except EngineError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
