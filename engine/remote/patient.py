"""A server that is waited for, where nobody sits at a keyboard."""

import time
from collections.abc import Callable, Generator

from engine.batch import Batch
from engine.errors import EndpointError
from engine.remote.engine import RemoteEngine
from engine.types import Draft, EngineInfo, InfillRequest, Suggestion, WorkspaceChange

MOST_S = 180.0
"""That one request waits, all its pauses together."""


class Patient:
    """A `RemoteEngine` that asks again once the server may be asked again."""

    def __init__(self, engine: RemoteEngine, sleep: Callable[[float], None] = time.sleep) -> None:
        self._engine, self._sleep = engine, sleep
        self.batch: Batch = engine.batch

    @property
    def info(self) -> EngineInfo:
        """As the engine's."""
        return self._engine.info

    def index(self, change: WorkspaceChange) -> int:
        """As the engine does."""
        return self._engine.index(change)

    def infill(self, request: InfillRequest) -> Generator[Draft | Suggestion, None, None]:
        """As the engine does, from the start after each pause.

        Raises EndpointError where the server is not to be asked again, or not within `MOST_S`.
        """
        left_s = MOST_S
        while True:
            try:
                yield from self._engine.infill(request)
            except EndpointError:
                pause_s = self._engine.pause_s
                if not 0 < pause_s <= left_s:
                    raise
                left_s -= pause_s
                self._sleep(pause_s)
            else:
                return
