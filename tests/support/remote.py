"""An engine that asks a stand-in of somebody else's server."""

import ssl
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from engine.errors import EndpointError
from engine.remote.endpoint import Endpoint
from engine.remote.engine import RemoteEngine
from engine.types import Draft, InfillRequest, Span, Suggestion
from tests.support.stand_in import KEY, Script, StandIn, serving

SERVING_MS = 20_000.0
"""Plenty: no test waits for it."""


def chosen(text: str) -> dict[str, Any]:
    """An event of completions, with its text."""
    return {"choices": [{"text": text, "finish_reason": None}]}


def request(text: str, language: str = "python", max_lines: int = 1) -> InfillRequest:
    """A hole where the text has $0."""
    before, after = text.encode().split(b"$0")
    hole = Span(len(before), len(before))
    return InfillRequest(before + after, hole, language, max_lines, budget_ms=SERVING_MS)


@contextmanager
def engine_at(
    script: Script, kind: str, key: str = KEY, context: ssl.SSLContext | None = None, **given: str
) -> Generator[tuple[RemoteEngine, StandIn]]:
    with serving(script, context) as stand_in:
        engine = RemoteEngine(Endpoint.usual(kind, url=stand_in.url, **given), key)
        try:
            yield engine, stand_in
        finally:
            engine.close()


def fill(engine: RemoteEngine, asked: InfillRequest) -> Suggestion:
    *drafts, last = engine.infill(asked)
    assert all(isinstance(draft, Draft) for draft in drafts)
    assert isinstance(last, Suggestion)
    return last


def complaint(engine: RemoteEngine, text: str = "x = $0\n") -> str:
    with pytest.raises(EndpointError) as caught:
        fill(engine, request(text))
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert KEY not in sentence
    return sentence
