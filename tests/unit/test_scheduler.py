"""Newest wins, join what fits, cancel what does not, and the deadline."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from engine import Draft, InfillRequest, Suggestion
from lsp_server.context import build_request
from lsp_server.scheduler import Order, Scheduler
from tests.support.scripted_client import (
    LIMIT_S,
    Answer,
    ScriptedClient,
    alternative,
    always,
    suggestion,
)
from tests.support.sites import site_at

pytestmark = pytest.mark.asyncio

LONG_MS = 30_000


class Typist:
    """A scheduler on a scripted engine, and requests at cursors marked `$0`."""

    def __init__(self, answer: Answer) -> None:
        self.engine = ScriptedClient(answer)
        self.drafts: list[str] = []
        self.scheduler = Scheduler(
            self.engine.infill, lambda _, draft: self.drafts.append(draft.text)
        )

    def order(
        self, text: str, alternatives: int = 1, debounce_ms: float = 0, deadline_ms: float = LONG_MS
    ) -> Order:
        site = site_at(text)

        def request(budget_ms: float) -> InfillRequest | None:
            found = build_request(site, 1, budget_ms)
            return found and replace(found, alternatives=alternatives)

        return Order(site, alternatives, debounce_ms, deadline_ms, request)

    def ask(
        self, text: str, alternatives: int = 1, debounce_ms: float = 0, deadline_ms: float = LONG_MS
    ) -> asyncio.Task[str]:
        """Begin a request, whose result is the texts found, one a line."""
        order = self.order(text, alternatives, debounce_ms, deadline_ms)
        return asyncio.create_task(self._fill(order))

    async def _fill(self, order: Order) -> str:
        offer = await self.scheduler.fill(order)
        return "\n".join(fill.text for fill in offer.fills) if offer else "late"

    async def asked(self) -> InfillRequest:
        """Wait until the engine gets a request."""
        return await asyncio.wait_for(self.engine.asked.get(), LIMIT_S)

    async def ended(self) -> bool:
        """Wait until a stream ends; whether it was read to its end."""
        return await asyncio.wait_for(self.engine.ended.get(), LIMIT_S)

    async def step(self) -> None:
        """Let the engine give its next word; whoever pulls it has it then."""
        self.engine.leave.release()
        await asyncio.wait_for(self.engine.given.get(), LIMIT_S)


def drafted(*drafts: str) -> Answer:
    """Drafts, the last of which is the fill."""

    def answer(_: InfillRequest) -> Sequence[Draft | Suggestion]:
        steps = [Draft(text, step, text.count("░")) for step, text in enumerate(drafts, 1)]
        return [*steps, suggestion(drafts[-1])]

    return answer


async def superseded(task: asyncio.Task[str]) -> bool:
    await asyncio.wait([task], timeout=LIMIT_S)
    return task.cancelled()


async def test_the_engine_is_asked_and_its_fill_returned() -> None:
    typist = Typist(always("f(a)"))
    answer = typist.ask("x = $0\n")
    request = await typist.asked()
    assert request.text == b"x = \n"
    await typist.step()
    assert await answer == "f(a)"
    assert await typist.ended()


async def test_what_is_typed_through_needs_no_engine() -> None:
    typist = Typist(always("f(a)"))
    first = typist.ask("x = $0\n")
    await typist.asked()
    await typist.step()
    await first
    assert await typist.ask("x = f($0\n") == "a)"
    assert await typist.ask("x = $0\n") == "f(a)"
    assert len(typist.engine.requests) == 1


async def test_a_request_elsewhere_stops_the_job_before() -> None:
    typist = Typist(always("f(a)"))
    first = typist.ask("x = $0\n")
    await typist.asked()
    second = typist.ask("y = $0\n")
    assert await superseded(first)
    assert await typist.ended() is False
    await typist.asked()
    await typist.step()
    assert await second == "f(a)"


async def test_a_request_that_fits_the_running_job_joins_it() -> None:
    typist = Typist(drafted("f(░░", "f(a)"))
    first = typist.ask("x = $0\n")
    await typist.asked()
    await typist.step()
    second = typist.ask("x = f($0\n")
    assert await superseded(first)
    await typist.step()
    await typist.step()
    assert await second == "a)"
    assert len(typist.engine.requests) == 1


async def test_a_request_that_does_not_fit_starts_its_own_job() -> None:
    typist = Typist(drafted("f(░░", "f(a)"))
    first = typist.ask("x = $0\n")
    await typist.asked()
    await typist.step()
    second = typist.ask("x = g$0\n")
    assert await superseded(first)
    assert await typist.ended() is False
    assert (await typist.asked()).text == b"x = g\n"
    second.cancel()
    assert await superseded(second)


async def test_a_job_joined_that_turns_another_way_gives_way_to_a_new_one() -> None:
    typist = Typist(drafted("f░", "f()", "g()"))
    first = typist.ask("x = $0\n")
    await typist.asked()
    await typist.step()
    second = typist.ask("x = f$0\n")
    assert await superseded(first)
    for _ in range(3):
        await typist.step()
    assert (await typist.asked()).text == b"x = f\n"
    second.cancel()
    assert await superseded(second)


async def test_cancelling_the_newest_stops_the_engine() -> None:
    typist = Typist(always("f(a)"))
    answer = typist.ask("x = $0\n")
    await typist.asked()
    answer.cancel()
    assert await superseded(answer)
    assert await typist.ended() is False


async def test_a_request_superseded_while_it_waits_for_a_pause_never_reaches_the_engine() -> None:
    typist = Typist(always("f(a)"))
    hasty = typist.ask("x = $0\n", debounce_ms=LONG_MS, deadline_ms=60_000)
    await asyncio.sleep(0)
    second = typist.ask("x = g$0\n")
    assert await superseded(hasty)
    assert (await typist.asked()).text == b"x = g\n"
    await typist.step()
    assert await second == "f(a)"
    assert len(typist.engine.requests) == 1


async def test_no_answer_in_time_is_nothing_and_stops_the_engine() -> None:
    typist = Typist(always("f(a)"))
    answer = typist.ask("x = $0\n", deadline_ms=100)
    request = await typist.asked()
    assert request.budget_ms <= 50  # the rest is kept for the way back
    assert await asyncio.wait_for(answer, LIMIT_S) == "late"
    assert await typist.ended() is False


async def test_dropping_stops_everything() -> None:
    typist = Typist(always("f(a)"))
    answer = typist.ask("x = $0\n")
    await typist.asked()
    typist.scheduler.drop()
    assert await superseded(answer)
    assert await typist.ended() is False


async def test_nothing_to_ask_is_nothing() -> None:
    typist = Typist(always("f(a)"))
    assert await typist.ask("#" * 9_000 + "$0\n") == "late"
    assert typist.engine.requests == []


async def test_when_asked_for_several_an_offer_of_one_does_not_do() -> None:
    typist = Typist(lambda _: [replace(suggestion("f(a)"), others=(alternative("g(a)"),))])
    first = typist.ask("x = $0\n")
    await typist.asked()
    await typist.step()
    await first
    second = typist.ask("x = $0\n", alternatives=3)
    assert (await typist.asked()).alternatives == 3
    await typist.step()
    assert await second == "f(a)\ng(a)"
    assert await typist.ask("x = g$0\n") == "(a)"


async def test_what_follows_is_foreseen_and_there_at_once() -> None:
    typist = Typist(always("f(a)"))
    typist.scheduler.foresee(typist.order("x = f(a)$0\n"))
    await typist.asked()
    await typist.step()
    assert await typist.ended()
    assert await typist.ask("x = f(a)$0\n") == "f(a)"
    assert len(typist.engine.requests) == 1


async def test_typing_along_does_not_disturb_what_is_foreseen_and_typing_elsewhere_stops_it() -> (
    None
):
    typist = Typist(always("f(a)"))
    first = typist.ask("x = $0\n")
    await typist.asked()
    await typist.step()
    await first
    await typist.ended()
    typist.scheduler.foresee(typist.order("x = f(a)$0\n"))
    await typist.asked()
    assert await typist.ask("x = f($0\n") == "a)"
    assert len(typist.scheduler.tasks) == 1
    other = typist.ask("x = g$0\n")
    assert await typist.ended() is False
    await typist.asked()
    await typist.step()
    assert await other == "f(a)"


async def test_nothing_is_foreseen_while_the_engine_works_for_the_user() -> None:
    typist = Typist(always("f(a)"))
    answer = typist.ask("x = $0\n")
    await typist.asked()
    typist.scheduler.foresee(typist.order("y = $0\n"))
    await typist.step()
    assert await answer == "f(a)"
    assert len(typist.engine.requests) == 1


async def test_a_stream_that_breaks_is_nothing_found() -> None:
    def broken(_: InfillRequest) -> Sequence[Draft | Suggestion]:
        raise ZeroDivisionError

    typist = Typist(broken)
    assert await asyncio.wait_for(typist.ask("x = $0\n"), LIMIT_S) == ""
    assert typist.scheduler.tasks == []


async def test_every_draft_is_watched() -> None:
    typist = Typist(drafted("f(░░", "f(a)"))
    answer = typist.ask("x = $0\n")
    for _ in range(3):
        await typist.step()
    await answer
    assert typist.drafts == ["f(░░", "f(a)", "f(a)"]
