"""Whose turn it is: fair between clients, bounded, and nobody who left is waited for."""

import asyncio

import pytest

from engine.errors import EngineBusy
from engine.turns import Turns


class Hall:
    """Clients that wait for turns; each turn ends when the test says so."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.began: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, group: str = "") -> asyncio.Task[None]:
        """A request of the client named by the first letter."""
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._have_turn(name, group))
        await settled()
        return self._tasks[name]

    async def _have_turn(self, name: str, group: str) -> None:
        async with self.turns.turn(name[0], group):
            self.began.append(name)
            await self._ends[name].wait()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await settled()

    async def leave(self, name: str) -> None:
        self._tasks[name].cancel()
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_a_client_of_many_requests_does_not_hold_up_one_of_few() -> None:
    hall = Hall(Turns(1))
    for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
        await hall.come(name)
    for name in ("a1", "c1", "b1", "a2", "b2", "a3"):
        assert hall.began[-1] == name
        await hall.end(name)
    assert len(hall.began) == 6


@pytest.mark.asyncio
async def test_so_many_at_once_as_there_are_turns() -> None:
    hall = Hall(Turns(2))
    for name in ("a1", "a2", "a3"):
        await hall.come(name)
    assert hall.began == ["a1", "a2"]
    await hall.end("a2")
    assert hall.began == ["a1", "a2", "a3"]


@pytest.mark.asyncio
async def test_who_would_wait_in_vain_is_told_so_and_has_room_again_later() -> None:
    hall = Hall(Turns(1, most_waiting=2))
    for name in ("a1", "b1", "c1"):
        await hall.come(name)
    refused = await hall.come("a2")
    with pytest.raises(EngineBusy, match="2 requests wait"):
        await refused
    await hall.end("a1")
    await hall.come("a3")
    await hall.end("b1")
    await hall.end("c1")
    assert hall.began == ["a1", "b1", "c1", "a3"]


@pytest.mark.asyncio
async def test_whoever_had_a_turn_last_makes_room_for_one_who_had_none() -> None:
    hall = Hall(Turns(1, most_waiting=2))
    await hall.come("a1")
    first, refused = await hall.come("a2"), await hall.come("a3")
    await hall.come("b1")
    with pytest.raises(EngineBusy):
        await refused
    assert not first.done()
    await hall.end("a1")
    assert hall.began == ["a1", "b1"]


@pytest.mark.asyncio
async def test_a_request_that_overtakes_another_has_its_place() -> None:
    hall = Hall(Turns(1))
    for name in ("a1", "b1", "c1"):
        await hall.come(name)
    await hall.end("a1")
    await hall.come("a2")
    await hall.leave("c1")  # a key
    await hall.come("c2")
    await hall.end("b1")
    assert hall.began == ["a1", "b1", "c2"]


@pytest.mark.asyncio
async def test_nobody_is_overtaken_twice_by_those_who_come_later() -> None:
    hall = Hall(Turns(1))
    names = [f"{client}1" for client in "abcdefghijkl"]
    for name in names[:3]:
        await hall.come(name)
    for coming in names[3:]:
        await hall.come(coming)
        await hall.end(hall.began[-1])
    assert "b1" in hall.began[:3]


@pytest.mark.asyncio
async def test_who_waited_in_vain_is_told_when_the_time_is_up() -> None:
    hall = Hall(Turns(1))
    await hall.come("a1")
    with pytest.raises(EngineBusy, match="the request waited"):
        async with hall.turns.turn("b", patience_s=0.01):
            raise AssertionError
    await hall.come("c1")
    await hall.end("a1")
    assert hall.began == ["a1", "c1"]


@pytest.mark.asyncio
async def test_who_leaves_is_not_waited_for() -> None:
    hall = Hall(Turns(1, most_waiting=1))
    await hall.come("a1")
    await hall.come("b1")
    await hall.leave("b1")
    await hall.come("c1")  # there is room again
    await hall.end("a1")
    assert hall.began == ["a1", "c1"]
    await hall.leave("c1")
    await hall.come("d1")
    assert hall.began[-1] == "d1"


@pytest.mark.asyncio
async def test_a_turn_is_not_lost_on_one_who_leaves_as_it_comes() -> None:
    hall = Hall(Turns(1))
    first, second = await hall.come("a1"), await hall.come("b1")
    await hall.come("c1")
    first.cancel()
    await asyncio.sleep(0)  # the first passes its turn on; the second has not taken it up yet
    second.cancel()
    await settled()
    assert hall.began == ["a1", "c1"]


@pytest.mark.asyncio
async def test_a_group_shares_a_turn_which_ends_with_its_last() -> None:
    hall = Hall(Turns(1, shared_by=3))
    for name in ("a1", "a2"):
        await hall.come(name, "holes")
    await hall.come("b1")
    await hall.come("a3", "holes")
    assert hall.began == ["a1", "a2", "a3"]
    for name in ("a1", "a3"):
        await hall.end(name)
    assert hall.began == ["a1", "a2", "a3"]
    await hall.end("a2")
    assert hall.began[3:] == ["b1"]


@pytest.mark.asyncio
async def test_a_group_too_large_for_a_turn_lets_others_in_between() -> None:
    hall = Hall(Turns(1, shared_by=2))
    for name in ("a1", "a2", "a3", "a4", "a5"):
        await hall.come(name, "holes")
    await hall.come("b1")
    assert hall.began == ["a1", "a2"]
    await hall.end("a1")  # there is no room for another: the turn has been had by two
    assert hall.began == ["a1", "a2"]
    await hall.end("a2")
    assert hall.began[2:] == ["b1"]
    await hall.end("b1")
    assert hall.began[3:] == ["a3", "a4"]


@pytest.mark.asyncio
async def test_other_clients_and_groups_are_strangers() -> None:
    hall = Hall(Turns(1, shared_by=8))
    await hall.come("a1", "holes")
    for name, group in (("b1", "holes"), ("a2", "gaps"), ("a3", "")):
        await hall.come(name, group)
    assert hall.began == ["a1"]


@pytest.mark.asyncio
async def test_one_of_a_group_who_leaves_is_not_waited_for() -> None:
    hall = Hall(Turns(1, shared_by=3))
    await hall.come("b1")
    for name in ("a1", "a2", "a3"):
        await hall.come(name, "holes")
    await hall.leave("a2")
    await hall.end("b1")
    assert hall.began == ["b1", "a1", "a3"]
    for name in ("a1", "a3"):
        await hall.leave(name)
    await hall.come("c1")
    assert hall.began[-1] == "c1"
