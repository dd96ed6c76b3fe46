"""A server that has too much to do is waited for, within bounds."""

import pytest

from engine.errors import EndpointError
from engine.remote.endpoint import Endpoint
from engine.remote.patient import MOST_S, Patient
from engine.remote.trouble import Patience
from engine.types import InfillRequest, Span, Suggestion
from tests.support.stand_in import KEY, Asked, Reply, failure, mercury, serving

REQUEST = InfillRequest(b"x = \n", Span(4, 4), "python", budget_ms=20_000.0)


def test_a_busy_server_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, refusals = 0.0, 2

    def sleep(pause_s: float) -> None:
        nonlocal now_s
        now_s += pause_s

    def script(asked: Asked) -> Reply | None:
        nonlocal refusals
        refusals -= 1
        busy = refusals >= 0
        return failure(429, "slow down", **{"Retry-After": "30"}) if busy else mercury("1")(asked)

    with serving(script) as server:
        patient = Patient(Endpoint.usual("mercury", url=server.url), KEY)
        monkeypatch.setattr(patient, "_patience", Patience(lambda: now_s))
        monkeypatch.setattr(patient, "sleep", sleep)
        *_, last = patient.infill(REQUEST)
        assert isinstance(last, Suggestion)
        assert (last.text, now_s) == ("1", 60)
        refusals = 100
        with pytest.raises(EndpointError, match="has too much to do"):
            list(patient.infill(REQUEST))
        assert now_s == 60 + MOST_S
        patient.close()


def test_what_nobody_mends_meanwhile_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(pause_s: float) -> None:
        raise AssertionError(f"waited {pause_s} s")

    for reply in (failure(401, "bad key"), failure(404, "no model"), failure(400, "too long")):
        with serving(lambda _, reply=reply: reply) as server:
            patient = Patient(Endpoint.usual("mercury", url=server.url), KEY)
            monkeypatch.setattr(patient, "sleep", sleep)
            with pytest.raises(EndpointError):
                list(patient.infill(REQUEST))
            patient.close()
