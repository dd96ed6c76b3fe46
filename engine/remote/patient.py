"""A server that is waited for, where nobody sits at a keyboard."""

import time
from collections.abc import Callable, Generator

from engine.errors import EndpointError
from engine.remote.engine import RemoteEngine
from engine.types import Draft, InfillRequest, Suggestion

MOST_S = 180.0
"""That one request waits, all its pauses together."""


class Patient(RemoteEngine):
    """A `RemoteEngine` that asks again once the server may be asked again."""

    sleep: Callable[[float], None] = staticmethod(time.sleep)

    def infill(self, request: InfillRequest) -> Generator[Draft | Suggestion, None, None]:
        """As a RemoteEngine does, from the start after each pause.

        Raises EndpointError where asking again is no use, or not to be done within `MOST_S`.
        """
        left_s = MOST_S
        while True:
            try:
                yield from super().infill(request)
            except EndpointError:
                pause_s = self._patience.left_s
                if not (self._patience.passes and 0 < pause_s <= left_s):
                    raise
                left_s -= pause_s
                self.sleep(pause_s)
            else:
                return
