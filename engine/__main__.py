"""`python -m engine`, as `sfumato engine`: serves one checkpoint to this user's clients."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine import __version__
from engine.endpoints.options import add_options
from engine.errors import AccessError, CheckpointError, EndpointError, EngineError
from engine.heap import keep_freed_memory
from engine.loading import load
from engine.rendezvous import rendezvous
from engine.shelf import model_folder
from engine.threads import wait_passively

if TYPE_CHECKING:
    from engine.desk import Infiller


def main(arguments: Sequence[str]) -> int:
    """Serve until idle, or with --listen until told to end.

    Returns 2 for a model, an endpoint or keys that cannot be used, 1 for other failures. The reason
    is the last line on stderr: a client that started this process reads it there.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)  # on stderr
    wait_passively()
    keep_freed_memory()
    try:
        if options.listen:
            _listen(options)
        else:
            _serve(model_folder(options.model), options.device, options.idle_minutes)
    except EngineError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, AccessError | CheckpointError | EndpointError) else 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sfumato engine",
        description="Load a model and serve it to this user's editors, which start it; or, with "
        "--listen, to whoever has a key.",
    )
    parser.add_argument("--model", type=Path, metavar="DIR_OR_NAME")
    parser.add_argument(
        "--device",
        default="cpu",
        help="cpu, cuda, cuda:1; cuda:all for all, cuda+int8 for half the memory (default: cpu)",
    )
    parser.add_argument("--idle-minutes", type=float, default=15.0, metavar="N")
    add_options(parser)
    return parser


def _listen(options: argparse.Namespace) -> None:
    from engine.endpoints.listen import listen, place_of

    place, model = place_of(options), model_folder(options.model)
    listen(place, lambda: _announced(model, options.device, f"at {place.url}"))


def _serve(model: Path, device: str, idle_minutes: float) -> None:
    from engine.service import serve

    until = f"until idle for {idle_minutes:g} minutes"
    serve(rendezvous(model), lambda: _announced(model, device, until), idle_minutes * 60)


def _announced(model: Path, device: str, until: str) -> "Infiller":
    engine = load(model, device)
    info = engine.info
    print(
        f"Sfumato {__version__} serves {info.model}, {info.whereabouts}, {until}.", file=sys.stderr
    )
    return engine


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
