"""Where a measurement runs, and on what text."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import engine
from engine.client import PROGRAM, EngineClient


def own_files(name: str = "*.py") -> list[str]:
    """Python of Sfumato's own engine, which is there wherever this runs: one file, or all."""
    folder = Path(engine.__file__).parent
    return [path.read_text() for path in sorted(folder.glob(name))]


def own_source(name: str = "*.py") -> str:
    """The same as one text."""
    return "\n".join(own_files(name))


@contextmanager
def own_corner() -> Generator[None]:
    """A runtime folder for this run alone, so that a user's engine is not disturbed."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    with tempfile.TemporaryDirectory(prefix="sf") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["XDG_RUNTIME_DIR"]
            if before is not None:
                os.environ["XDG_RUNTIME_DIR"] = before


async def start_engine(model: Path, device: str) -> EngineClient:
    """A line to the engine of a checkpoint on a device, which is started; clients find it then."""
    return await EngineClient.connect(model, (*PROGRAM, "--device", device))
