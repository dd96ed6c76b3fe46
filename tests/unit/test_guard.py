"""Who may ask, how often, how much: keys, rates, sizes, and what is said to who may not."""

import asyncio
import os
from collections.abc import Generator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from engine import AccessError, Draft, EngineError, InfillRequest, Span, Suggestion, wire
from engine.desk import Desk
from engine.endpoints.access import Keys, read_keys
from engine.endpoints.guard import Limits
from engine.endpoints.listen import Listening, guarded, listen
from engine.types import WorkspaceChange
from tests.support.scripted_engine import Script, ScriptedEngine, Waiting

ANN, BEN = "ann-has-a-long-key", "ben-has-another-one"
KEYS = Keys({"ann": ANN, "ben": BEN})
BODY = {"model": "m", "prompt": "x = "}


def client_of(keys: Keys = KEYS, limits: Limits | None = None) -> TestClient:
    app = guarded(Desk(ScriptedEngine(Script())), keys, limits or Limits())
    return TestClient(app, base_url="http://localhost:8012")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("path", ["/v1/models", "/v1/info", "/metrics", "/openapi.json", "/no"])
def test_everything_but_health_needs_a_key(path: str) -> None:
    client = client_of()
    assert client.get("/health").status_code == 200
    for headers in ({}, bearer("wrong"), {"Authorization": f"Basic {ANN}"}, bearer("")):
        reply = client.get(path, headers=headers)
        assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert client.get(path, headers=bearer(BEN)).status_code == (404 if path == "/no" else 200)


def test_a_refusal_has_the_shape_of_the_path() -> None:
    client = client_of()
    assert client.post("/v1/completions", json=BODY).json()["error"] == {
        "message": "No known API key was given; send it as Authorization: Bearer KEY.",
        "type": "authentication_error",
        "param": None,
        "code": "invalid_api_key",
    }
    assert client.get("/v1/info").text.startswith("No known API key")


def test_keys_are_counted_by_name_and_shown_nowhere() -> None:
    client = client_of()
    client.post("/v1/completions", json=BODY, headers=bearer(ANN))
    client.post("/infill", json={})
    client.post("/secret", json={})
    told = client.get("/metrics", headers=bearer(BEN)).text
    assert 'client="ann"' in told
    assert 'requests_total{client="unknown",path="/infill",status="401"} 1.0' in told
    assert 'requests_total{client="unknown",path="other",status="401"} 1.0' in told
    assert ANN not in told
    assert ANN not in repr(KEYS)


def test_the_rate_is_limited_for_each_key_alone() -> None:
    client = client_of(limits=Limits(per_minute=2))
    for _ in range(2):
        assert client.get("/v1/models", headers=bearer(ANN)).status_code == 200
    reply = client.get("/v1/models", headers=bearer(ANN))
    assert reply.status_code == 429
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert reply.json()["error"]["code"] == "rate_limit_reached"
    assert client.get("/v1/models", headers=bearer(BEN)).status_code == 200


def test_a_body_that_is_too_large_is_not_read() -> None:
    client = client_of(limits=Limits(body_bytes=1000))
    body = {**BODY, "prompt": "x" * 1000}
    reply = client.post("/v1/completions", json=body, headers=bearer(ANN))
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "body_too_large")

    def in_pieces() -> Generator[bytes, None, None]:
        yield from (b" " * 100 for _ in range(20))

    kind = {"content-type": "application/json"}
    reply = client.post("/v1/completions", content=in_pieces(), headers=bearer(ANN) | kind)
    assert reply.status_code == 413


@pytest.mark.asyncio
async def test_requests_at_once_are_limited_for_each_key_and_for_all() -> None:
    engine = Waiting()
    app = guarded(Desk(engine), KEYS, Limits(at_once=2, in_all=3))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:

        async def ask(key: str) -> httpx.Response:
            return await http.post("/v1/completions", json=BODY, headers=bearer(key))

        first = [asyncio.create_task(ask(ANN)) for _ in range(3)]
        done, _ = await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        [refused] = done
        assert refused.result().status_code == 429
        assert refused.result().headers["retry-after"] == "1"
        second = [asyncio.create_task(ask(BEN)) for _ in range(2)]
        done, _ = await asyncio.wait(second, return_when=asyncio.FIRST_COMPLETED)
        [overloaded] = done
        assert overloaded.result().status_code == 503
        assert overloaded.result().json()["error"]["code"] == "engine_overloaded"
        os.write(engine.write, b"...")
        answers = await asyncio.gather(*first, *second)
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 429, 503]


@pytest.mark.asyncio
async def test_who_stops_reading_keeps_nobody_waiting() -> None:
    desk = Desk(ScriptedEngine(Script(answer="ab")))
    request = InfillRequest(b"", Span(0, 0), "python", budget_ms=2000.0)
    async with aclosing(desk.words(request, "one")) as unread:
        await anext(unread)
        *_, last = [word async for word in desk.words(request, "other")]
        assert isinstance(last, Suggestion)


@pytest.mark.asyncio
async def test_a_desk_that_has_closed_says_so() -> None:
    desk = Desk(ScriptedEngine(Script()))
    desk.threads.shutdown()
    with pytest.raises(EngineError, match="cannot schedule"):
        await anext(desk.words(InfillRequest(b"", Span(0, 0), "python")))


def test_a_request_that_outlives_its_loop_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    engine = Waiting()
    desk = Desk(engine)

    async def leave() -> None:
        asking = asyncio.ensure_future(anext(desk.words(InfillRequest(b"", Span(0, 0), "python"))))
        await asyncio.wait([asking], timeout=0.05)

    asyncio.run(leave())
    os.write(engine.write, b".")
    desk.threads.shutdown()
    assert not caplog.records


class Indexing(ScriptedEngine):
    """Keeps the names of workspaces."""

    def __init__(self) -> None:
        super().__init__(Script())
        self.workspaces: list[str] = []

    def index(self, change: WorkspaceChange) -> int:
        self.workspaces.append(change.workspace)
        return 1

    def infill(self, request: InfillRequest) -> Generator[Draft | Suggestion, None, None]:
        self.workspaces.append(request.workspace)
        yield from super().infill(request)


def test_what_two_clients_call_the_same_workspace_is_not_shared() -> None:
    engine = Indexing()
    client = TestClient(guarded(Desk(engine), KEYS, Limits()), base_url="http://localhost")
    for key in (ANN, BEN):
        change = wire.to_json(WorkspaceChange("home"))
        client.post("/v1/workspace", content=change, headers=bearer(key))
        request = wire.to_json(InfillRequest(b"", Span(0, 0), "python", workspace="home"))
        client.post("/v1/infill", content=request, headers=bearer(key))
    anns, again, bens, too = engine.workspaces
    assert anns == again != bens == too
    client.post("/v1/completions", json=BODY, headers=bearer(ANN))
    assert engine.workspaces[-1] == ""


def test_without_keys_only_this_machine_may_be_named() -> None:
    client = client_of(Keys())
    for host in ("localhost", "LOCALHOST:8012", "127.0.0.1:8012", "[::1]:8012"):
        assert client.get("/v1/models", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "localhost.evil.example:80", "", "["):
        assert client.get("/v1/models", headers={"Host": host}).status_code == 421


def test_without_keys_no_page_of_another_site_may_ask() -> None:
    """A browser sends a form's text there, though it would not show the answer."""
    client = client_of(Keys())
    change = wire.to_json(WorkspaceChange("home"))
    for origin in ("https://evil.example", "http://localhost.evil.example", "null"):
        reply = client.post("/v1/workspace", content=change, headers={"Origin": origin})
        assert reply.status_code == 403
    for origin in ("http://localhost:3000", "http://127.0.0.1"):
        reply = client.post("/v1/workspace", content=change, headers={"Origin": origin})
        assert reply.status_code == 200


def test_keys_come_from_a_private_file_and_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"ann:{ANN}\n")
    path.chmod(0o600)
    keys = read_keys(path, {"SFUMATO_API_KEYS": f"ben:{BEN}"})
    assert keys.client(f"Bearer {ANN}") == "ann"
    assert keys.client(f"bearer {BEN}") == "ben"
    assert keys.client("Bearer somebody-elses-key") is None
    assert not read_keys(None, {})


@pytest.mark.parametrize(
    ("text", "mode", "sentence"),
    [
        ("ann:long-enough-a-key", 0o640, "chmod it to 0600"),
        ("ann", 0o600, "Entry 1 of the file .* is not of the form NAME:KEY"),
        ("ann:long-enough-a-key ben:short", 0o600, "Entry 2 of .* fewer than 16 characters"),
        ("ann:long-enough-a-key ann:long-enough-a-nother", 0o600, "gives ann a second key"),
        (" \n", 0o600, "There is no key in"),
        ("ann:long-enough-\udcff", 0o600, "that is no text"),
    ],
)
def test_keys_that_are_none_are_refused(
    tmp_path: Path, text: str, mode: int, sentence: str
) -> None:
    path = tmp_path / "keys"
    path.write_text(text, errors="surrogateescape")
    path.chmod(mode)
    with pytest.raises(AccessError, match=sentence) as refused:
        read_keys(path, {})
    assert "short" not in str(refused.value)
    assert "long-enough" not in str(refused.value)


def not_loaded() -> ScriptedEngine:
    raise AssertionError("nothing should be loaded")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 - refused
def test_a_public_address_is_not_served_without_a_key(host: str) -> None:
    with pytest.raises(AccessError, match="there is no API key"):
        listen(Listening(host, 0), not_loaded)


def test_half_a_certificate_is_no_tls(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="both"):
        listen(Listening("127.0.0.1", 0, certfile=tmp_path / "c.pem"), not_loaded)


def test_what_is_no_certificate_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    place = Listening("127.0.0.1", 0, certfile=tmp_path / "c.pem", keyfile=tmp_path / "k.pem")
    with pytest.raises(AccessError, match="No such file"):
        listen(place, not_loaded)
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).write_text("nothing of the kind")
    with pytest.raises(AccessError, match="are no certificate and its key"):
        listen(place, not_loaded)
