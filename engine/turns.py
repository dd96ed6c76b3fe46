"""Whose turn it is: a few requests run, some wait, and the rest is told at once that it is busy."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from engine.errors import EngineBusy

MOST_WAITING = 64
"""More would wait for longer than anybody looks at a cursor."""


class Turns:
    """Turns for so many at once. Clients come in rotation, the requests of each in their order."""

    def __init__(self, at_once: int, most_waiting: int = MOST_WAITING) -> None:
        self._free = at_once
        self._most_waiting = most_waiting
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # whose turn is next comes first

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncGenerator[None]:
        """Wait for a turn and have it. Raises EngineBusy when too many wait already."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(client)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, client: str) -> None:
        waiting = sum(len(queue) for queue in self._waiting.values())
        if waiting >= self._most_waiting:
            raise EngineBusy(f"The engine is busy: {waiting} requests wait; ask again in a moment.")
        mine = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if not mine.cancelled():  # it was given the turn in the same instant
                self._pass_on()
            else:
                self._leave(client, mine)
            raise

    def _leave(self, client: str, mine: asyncio.Future[None]) -> None:
        queue = self._waiting.get(client, deque())
        if mine in queue:
            queue.remove(mine)
        if not queue:
            self._waiting.pop(client, None)

    def _pass_on(self) -> None:
        while self._waiting:
            client = next(iter(self._waiting))
            queue = self._waiting.pop(client)
            first = queue.popleft()
            if queue:
                self._waiting[client] = queue  # behind the others
            if not first.cancelled():
                first.set_result(None)
                return
        self._free += 1
