"""The OpenAPI document is true: whatever it allows is answered as it says, and the rest refused."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from engine.desk import Desk
from engine.endpoints.access import Keys
from engine.endpoints.guard import Limits
from engine.endpoints.listen import guarded
from tests.support.scripted_engine import Script, ScriptedEngine

KEY = "a-key-for-this-test"
APP = guarded(
    Desk(ScriptedEngine(Script(answer="ab\n\nc"))), Keys({"t": KEY}), Limits(10**9, 10**9, 10**9)
)
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
]
schema = schemathesis.openapi.from_asgi(
    "/openapi.json", APP, headers={"Authorization": f"Bearer {KEY}"}
)


@schema.parametrize()  # pyright: ignore[reportUntypedFunctionDecorator]
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_answers_are_as_described(case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {KEY}"}, checks=CHECKS)
