"""Requests that run at the same time: each gets its own, and what is asked together is one pass."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest
import torch
from torch import Tensor

from engine.batch import Asked, Batch
from engine.families.sfumato import Sfumato
from engine.infill import Engine
from engine.look import look_together
from engine.schedule import Rule
from engine.types import InfillRequest, Span, Suggestion
from tests.support.tiny_model import CPU, source_code, tiny_checkpoint, tiny_denoiser

THREADS, PLENTY = 3, 100_000


def never(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
    raise AssertionError(f"{tokens_NC}, {wanted_NC}: looks are taken together")


def test_each_of_many_gets_what_it_asked_for_out_of_one_pass() -> None:
    shared = Event()

    def together(asked: Sequence[Asked]) -> list[Tensor]:
        if len(asked) == THREADS:
            shared.set()
        return [2 * one.tokens_NC for one in asked]

    batch = Batch(THREADS, together)

    def request(number: int) -> bool:
        own = torch.tensor([[number]])
        with batch.member():
            for _ in range(PLENTY):
                if not batch.look(never, own, own > 0).equal(2 * own):
                    return False
                if shared.is_set():
                    return True
        return False

    with ThreadPoolExecutor(THREADS) as threads:
        assert all(threads.map(request, range(THREADS)))


def test_a_pass_that_fails_fails_for_all_and_the_batch_goes_on() -> None:
    answers: list[list[Tensor] | Exception] = [ValueError("full"), [torch.ones(1)]]

    def together(_: Sequence[Asked]) -> list[Tensor]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    batch, blank = Batch(2, together), torch.zeros(1, 1)
    with batch.member(), pytest.raises(ValueError, match="full"):
        batch.look(never, blank, blank > 0)
    with batch.member():
        assert batch.look(never, blank, blank > 0).equal(torch.ones(1))


def test_requests_side_by_side_are_answered_as_one_after_the_other() -> None:
    engine = Engine(Sfumato(tiny_checkpoint(tiny_denoiser()), CPU), Rule(passes=2))
    engine.batch = Batch(THREADS, look_together)
    code = source_code(12, seed=9)
    places = [code.index("return", start) for start in range(100, 1500, 200)]
    requests = [
        InfillRequest(code.encode(), Span(place, place), "python", budget_ms=600_000.0)
        for place in places
    ]
    requests += [replace(request, max_lines=3, length_tokens=20) for request in requests]

    def text(request: InfillRequest) -> str:
        with engine.batch.member():
            *_, found = engine.infill(request)
        assert isinstance(found, Suggestion)
        return found.text

    alone = [text(request) for request in requests]
    with ThreadPoolExecutor(THREADS) as threads:
        assert list(threads.map(text, requests)) == alone
