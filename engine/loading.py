"""From a folder to what is served: a checkpoint's engine, or one that asks a server."""

from pathlib import Path
from typing import TYPE_CHECKING

from engine.remote import endpoint
from engine.threads import SERVING_THREADS

if TYPE_CHECKING:
    from engine.desk import Infiller


def check(model: Path) -> None:
    """Raises EngineError where `load` would; no weights are read and no server is asked."""
    if endpoint.is_in(model):
        endpoint.Endpoint.load(model)
        return
    from engine.families import describe

    describe(model)


def load(model: Path, device: str) -> "Infiller":
    """Load a checkpoint folder, or the folder of an endpoint. Raises EngineError."""
    if endpoint.is_in(model):
        from engine.remote.engine import RemoteEngine

        return RemoteEngine.load(model)
    from engine.infill import Engine  # brings in torch, which a process that leaves needs not

    return Engine.load(model, device, SERVING_THREADS)
