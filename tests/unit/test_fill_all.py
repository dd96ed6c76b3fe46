"""All holes of a file: two rounds, of which the second sees what the first made."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from engine import EngineError, InfillRequest, Span, Suggestion
from lsp_server.actions.desk import Desk
from lsp_server.actions.holes import fill_all
from lsp_server.actions.page import Declined, Page, changed
from lsp_server.connection import Client, Connection
from lsp_server.positions import split_lines
from lsp_server.session import Snapshot
from tests.support.scripted_client import LIMIT_S, ScriptedClient, alternative, suggestion

TEXT = "def one():\n    ...\n\n\ndef two():\n    ...\n"


def ignore(_message: str, _percentage: int) -> None:
    """Whoever reads no progress."""


async def filled(client: ScriptedClient, report: Callable[[str, int], None] = ignore) -> str:
    """The text after its holes are filled."""

    async def connect() -> Client:
        return client

    found = asyncio.Event()
    connection = Connection(connect, lambda status: found.set() if status.state == "idle" else None)
    connection.wake()
    page = Page.of(Snapshot("file:///a.py", "python", 1, split_lines(TEXT.encode())))
    async with asyncio.timeout(LIMIT_S):
        await found.wait()
        desk = Desk(page, Span(0, 0), "medium", b"", "", connection, None, (), report)
        plan = await fill_all(desk)
    return changed(page.text, plan.changes).decode()


@pytest.mark.asyncio
async def test_each_hole_sees_in_the_second_round_what_the_others_became() -> None:
    def answer(request: InfillRequest) -> list[Suggestion]:
        number = request.text[: request.hole.start].count(b"def ")
        return [suggestion(f"return {number}{number}" if request.draft else f"return {number}")]

    client = ScriptedClient(answer).run_freely()
    assert await filled(client) == TEXT.replace("...", "return 11", 1).replace("...", "return 22")
    first, second = client.requests[:2], client.requests[2:]
    assert [request.draft for request in first] == [None, None]
    assert all(request.text.count(b"...") == 1 for request in first)
    assert [request.draft for request in second] == [b"return 1", b"return 2"]
    assert len({request.group for request in first}) == 1
    assert len({request.group for request in second}) == 1
    assert b"return 2" in second[0].text
    assert b"return 1" in second[1].text


@pytest.mark.asyncio
async def test_fills_that_go_ill_together_fall_back_on_the_first_round() -> None:
    client = ScriptedClient(
        lambda request: [suggestion("return (" if request.draft else "return 1")]
    )
    assert await filled(client.run_freely()) == TEXT.replace("...", "return 1")


@pytest.mark.asyncio
@pytest.mark.parametrize("likeliest", ["...", "pass  # TODO", "g(x))\n\n\nh((y)"])
async def test_a_fill_that_is_a_hole_again_or_leaves_its_body_gives_way_to_another(
    likeliest: str,
) -> None:
    others = (alternative(likeliest), alternative("return 1"))
    client = ScriptedClient(lambda _: [replace(suggestion(likeliest), others=others)])
    assert await filled(client.run_freely()) == TEXT.replace("...", "return 1")


@pytest.mark.asyncio
async def test_a_hole_for_which_there_is_nothing_else_is_left() -> None:
    def answer(request: InfillRequest) -> list[Suggestion]:
        first = b"two" not in request.text[: request.hole.start]
        return [suggestion("pass  # TODO" if first else "return 2")]

    expected = TEXT[::-1].replace("...", "2 nruter", 1)[::-1]
    assert await filled(ScriptedClient(answer).run_freely()) == expected


@pytest.mark.asyncio
async def test_where_nothing_is_found_it_says_so() -> None:
    with pytest.raises(Declined, match="nothing that fits"):
        await filled(ScriptedClient(lambda _: [suggestion("...")]).run_freely())


@pytest.mark.asyncio
async def test_progress_is_told_hole_by_hole() -> None:
    told: list[tuple[str, int]] = []
    client = ScriptedClient(lambda _: [suggestion("return 1")]).run_freely()
    await filled(client, lambda *progress: told.append(progress))
    assert told == [
        ("Filling 2 holes", 0),
        ("Filling 2 holes", 25),
        ("Filling 2 holes", 50),
        ("Looking again", 50),
        ("Looking again", 75),
        ("Looking again", 100),
    ]


@pytest.mark.asyncio
async def test_where_one_request_fails_the_others_are_stopped() -> None:
    def answer(request: InfillRequest) -> list[Suggestion | EngineError]:
        second = request.text[: request.hole.start].count(b"def ") == 2
        return [EngineError("The engine failed.")] if second else [suggestion("return 1")]

    client = ScriptedClient(answer)
    filling = asyncio.create_task(filled(client))
    for _ in range(2):
        await client.asked.get()
    await asyncio.sleep(0)
    client.leave.release()
    client.leave.release()
    with pytest.raises(Declined, match="The engine failed"):
        await filling
    assert asyncio.all_tasks() == {asyncio.current_task()}
