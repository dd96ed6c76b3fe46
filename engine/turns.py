"""Whose turn it is: a few requests run, some wait, and the rest is told at once that it is busy."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from engine.errors import EngineBusy

MOST_WAITING = 64
"""More would wait for longer than anybody looks at a cursor."""


@dataclass(eq=False, slots=True)
class _Turn:
    """A turn that a request has, or several of one group.

    members  requests that have it still
    room     how many more may come in
    """

    client: str
    group: str
    members: int
    room: int


@dataclass(eq=False, slots=True)
class _Waiting:
    group: str
    turn: asyncio.Future[_Turn]


class Turns:
    """Turns for so many at once. Clients come in rotation, the requests of each in their order.

    shared_by  requests of one group of a client that may have a turn together
    """

    def __init__(self, at_once: int, shared_by: int = 1, most_waiting: int = MOST_WAITING) -> None:
        self._free = at_once
        self._shared_by = shared_by
        self._most_waiting = most_waiting
        self._had: list[_Turn] = []
        self._waiting: dict[str, deque[_Waiting]] = {}  # whose turn is next comes first

    @asynccontextmanager
    async def turn(self, client: str, group: str = "") -> AsyncGenerator[None]:
        """Wait for a turn and have it. Raises EngineBusy when too many wait already."""
        turn = self._at_once(client, group) or await self._wait(client, group)
        try:
            yield
        finally:
            self._leave(turn)

    def _at_once(self, client: str, group: str) -> _Turn | None:
        """The turn that one of the group has, or a free one; None if there is neither."""
        for turn in self._had:
            if group and turn.room and (turn.client, turn.group) == (client, group):
                turn.members += 1
                turn.room -= 1
                return turn
        if not self._free:
            return None
        self._free -= 1
        return self._begun(client, group)

    def _begun(self, client: str, group: str, others: int = 0) -> _Turn:
        turn = _Turn(client, group, 1 + others, self._shared_by - 1 - others)
        self._had.append(turn)
        return turn

    async def _wait(self, client: str, group: str) -> _Turn:
        waiting = sum(len(queue) for queue in self._waiting.values())
        if waiting >= self._most_waiting:
            raise EngineBusy(f"The engine is busy: {waiting} requests wait; ask again in a moment.")
        mine = _Waiting(group, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(client, deque()).append(mine)
        try:
            return await mine.turn
        except asyncio.CancelledError:
            if not mine.turn.cancelled():  # it was given the turn in the same instant
                self._leave(mine.turn.result())
            else:
                self._give_up(client, mine)
            raise

    def _give_up(self, client: str, mine: _Waiting) -> None:
        queue = self._waiting.get(client, deque())
        if mine in queue:
            queue.remove(mine)
        if not queue:
            self._waiting.pop(client, None)

    def _leave(self, turn: _Turn) -> None:
        turn.members -= 1
        if not turn.members:
            self._had.remove(turn)
            self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            client = next(iter(self._waiting))
            queue = self._waiting.pop(client)
            company = self._first_of(queue)
            if queue:
                self._waiting[client] = queue  # behind the others
            if company:
                turn = self._begun(client, company[0].group, len(company) - 1)
                for one in company:
                    one.turn.set_result(turn)
                return
        self._free += 1

    def _first_of(self, queue: deque[_Waiting]) -> list[_Waiting]:
        """Take the first out of a queue, and those that share its turn, who have not left."""
        first = queue.popleft()
        if first.turn.cancelled():
            return []
        same = [one for one in queue if first.group and one.group == first.group]
        others = [one for one in same if not one.turn.cancelled()][: self._shared_by - 1]
        for one in others:
            queue.remove(one)
        return [first, *others]
