"""`python -m engine`, as `sfumato engine`: serves one checkpoint to this user's clients."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine import __version__
from engine.errors import CheckpointError, EngineError
from engine.rendezvous import DEFAULT_MODEL, rendezvous
from engine.threads import SERVING_THREADS, wait_passively

if TYPE_CHECKING:
    from engine.infill import Engine


def main(arguments: Sequence[str]) -> int:
    """Serve until idle. Returns 2 for a checkpoint that cannot be loaded, 1 for other failures.

    The reason is the last line on stderr: a client that started this process reads it there.
    """
    parser = argparse.ArgumentParser(
        prog="sfumato engine",
        description="Load a model and serve it to this user's editors, which start it.",
    )
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, metavar="DIR")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 (default: cpu)")
    parser.add_argument("--idle-minutes", type=float, default=15.0, metavar="N")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)  # on stderr
    wait_passively()
    try:
        _serve(options.model, options.device, options.idle_minutes)
    except EngineError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, CheckpointError) else 1
    except KeyboardInterrupt:
        return 130
    return 0


def _serve(model: Path, device: str, idle_minutes: float) -> None:
    from engine.service import serve

    meeting = rendezvous(model)

    def load() -> "Engine":
        from engine.infill import Engine  # brings in torch, which a process that leaves needs not

        engine = Engine.load(model, device, SERVING_THREADS)
        info = engine.info
        print(
            f"Sfumato {__version__} serves {info.model}, {info.parameters / 1e6:.1f}M parameters, "
            f"on {info.device}, threads: {info.threads}, until idle for {idle_minutes:g} minutes.",
            file=sys.stderr,
        )
        return engine

    serve(meeting, load, idle_minutes * 60)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
