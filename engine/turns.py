"""Whose turn it is: a few requests run, some wait, and the rest is told at once that it is busy."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from heapq import nsmallest

from engine.errors import EngineBusy

MOST_WAITING = 64
"""More would wait for longer than anybody looks at a cursor."""

_REMEMBERED = 1024
"""Clients whose last turn is known; who had none for longer counts as having had none."""
_FEW = 4
"""In a simulation, eight typists got a fifth more answers so (`tests/bench/LOG.md`)."""


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
    """A request, by its number in the order of all, that is to get a turn.

    overtaken  did another get one although this one's client had none for longest?
    """

    number: int
    group: str
    turn: asyncio.Future[_Turn]
    overtaken: bool = False


class Turns:
    """Turns for so many at once, for those who had none for longest.

    A key overtakes the request before it: a place in a queue would be lost at every key, but not
    when a client had its last turn. And the newest request is the likeliest to be wanted still when
    it is done, so of the few whose turn it nearly is, the one who asked last comes first; but
    nobody is overtaken twice so, or those that come later and later would keep it waiting for ever.

    shared_by  requests of one group of a client that may have a turn together
    """

    def __init__(self, at_once: int, shared_by: int = 1, most_waiting: int = MOST_WAITING) -> None:
        self._free = at_once
        self._shared_by = shared_by
        self._most_waiting = most_waiting
        self._had: list[_Turn] = []
        self._waiting: dict[str, deque[_Waiting]] = {}
        self._asked_in_all = self._begun_in_all = 0
        self._last: dict[str, int] = {}  # of the clients remembered, the one longest without first

    @asynccontextmanager
    async def turn(
        self, client: str, group: str = "", patience_s: float | None = None
    ) -> AsyncGenerator[None]:
        """Wait for a turn and have it.

        Raises EngineBusy when too many wait already, or after so many seconds.
        """
        turn = self._at_once(client, group)
        try:
            async with asyncio.timeout(patience_s):
                turn = turn or await self._wait(client, group)
        except TimeoutError as error:
            raise EngineBusy(
                f"The engine is busy: the request waited for {patience_s:.1f} s."
            ) from error
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
        self._begun_in_all += 1
        self._last.pop(client, None)
        self._last[client] = self._begun_in_all
        if len(self._last) > _REMEMBERED:
            del self._last[next(iter(self._last))]
        return turn

    def _last_turn(self, client: str) -> int:
        """The number of a client's last turn, 0 for one that had none."""
        return self._last.get(client, 0)

    def _make_room(self, client: str) -> None:
        """Turn a request away where too many wait: the newest of whoever had a turn last."""
        waiting = sum(len(queue) for queue in self._waiting.values())
        if waiting < self._most_waiting:
            return
        busy = EngineBusy(f"The engine is busy: {waiting} requests wait; ask again in a moment.")
        luckiest = max(self._waiting, key=self._last_turn)
        if self._last_turn(luckiest) <= self._last_turn(client):
            raise busy
        newest = self._waiting[luckiest][-1]
        self._give_up(luckiest, newest)
        if not newest.turn.cancelled():
            newest.turn.set_exception(busy)

    async def _wait(self, client: str, group: str) -> _Turn:
        self._make_room(client)
        self._asked_in_all += 1
        mine = _Waiting(self._asked_in_all, group, asyncio.get_running_loop().create_future())
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
            client = self._next()
            queue = self._waiting[client]
            company = self._first_of(queue)
            if not queue:
                del self._waiting[client]
            if company:
                turn = self._begun(client, company[0].group, len(company) - 1)
                for one in company:
                    one.turn.set_result(turn)
                return
        self._free += 1

    def _next(self) -> str:
        """Of the clients longest without a turn, up to half of all that wait, who asked last."""
        few = min(_FEW, (len(self._waiting) + 1) // 2)
        longest = nsmallest(few, self._waiting, key=self._last_turn)
        first = self._waiting[longest[0]][0]
        if first.overtaken:
            return longest[0]
        chosen = max(longest, key=lambda client: self._waiting[client][0].number)
        first.overtaken = chosen != longest[0]
        return chosen

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
