"""What is wrong with somebody else's server is one sentence, and it is left alone for a while."""

import ssl
from pathlib import Path

import pytest
import trustme

from engine.errors import DeviceError, EndpointError
from engine.remote import engine as remote
from engine.remote.endpoint import Endpoint
from engine.remote.engine import RemoteEngine
from tests.support.remote import complaint, engine_at, fill, request
from tests.support.stand_in import KEY, Asked, Reply, events, failure, mercury, serving, sfumato


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (failure(401, "bad key"), "refuses the key INCEPTION_API_KEY (401: bad key)"),
        (failure(402, "no credit"), "wants to be paid first (402: no credit)"),
        (failure(307, "", Location="https://b.example"), "has moved (307: https://b.example)"),
        (failure(404, "no such model"), "There is no http"),
        (failure(404, "no such model"), "/v1/fim/completions (404: no such model); check url"),
        (failure(400, "prompt too long"), "does not take the request (400: prompt too long)"),
        (failure(500, "out of memory"), "failed (500: out of memory)"),
        (Reply(502, "text/html", parts=["<html>\nBad</html>"]), "failed (502)"),
        (failure(503, "Loading model"), "has too much to do (503: Loading model)"),
        (Reply(parts=["data: {not JSON\n\n"]), "does not answer as a server of kind mercury"),
        (Reply(parts=events({"choices": "?"})), "does not answer as a server of kind mercury"),
        (Reply(kind="text/html", parts=["<p>Hello"]), "does not answer as a server of kind"),
        (Reply(parts=events({"error": {"message": "no slot"}})), "failed (no slot)"),
        (Reply(parts=events({"choices": []})), "broke off its answer"),
        (Reply(parts=events({"choices": []}), whole=False), "broke off its answer"),
    ],
)
def test_a_failing_server_is_one_sentence(reply: Reply, said: str) -> None:
    with engine_at(lambda _: reply, "mercury") as (engine, _):
        assert said in complaint(engine)


@pytest.mark.parametrize(
    "reply",
    [
        failure(401, f"Incorrect API key provided: {KEY}"),
        failure(500, f"cannot read {KEY}"),
        Reply(parts=events({"error": {"message": f"{KEY} has expired"}})),
        Reply(parts=events(f'"{KEY}"')),
    ],
)
def test_a_key_that_a_server_repeats_is_not_shown(reply: Reply) -> None:
    with engine_at(lambda _: reply, "mercury") as (engine, _):
        assert "..." in complaint(engine)


def test_nobody_at_the_address_is_one_sentence() -> None:
    with serving(mercury()) as gone:
        pass
    engine = RemoteEngine(Endpoint.usual("mercury", url=gone.url), KEY)
    assert f"Nobody answers at {gone.url} (Connection refused)" in complaint(engine)
    assert "; it is asked again in" in complaint(engine)
    engine.close()


def test_an_unknown_certificate_is_one_sentence() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with engine_at(mercury("1"), "mercury", context=context) as (engine, _):
        assert "is not accepted" in complaint(engine)


def test_an_authority_of_ones_own_is_named_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with engine_at(mercury("1"), "mercury", context=context) as (engine, _):
        assert fill(engine, request("x = $0\n")).text == "1"
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(EndpointError, match="SSL_CERT_FILE is"):
        RemoteEngine(Endpoint.usual("mercury", url="https://127.0.0.1:1"), KEY)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "ftp://a", "http://a:b"])
def test_a_proxy_of_no_use_is_one_sentence(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(EndpointError, match="proxy in the environment is of no use") as caught:
        RemoteEngine(Endpoint.usual("mercury"), KEY)
    assert str(caught.value).endswith(".")


def test_a_server_without_tls_is_one_sentence() -> None:
    with serving(mercury("1")) as server:
        endpoint = Endpoint.usual("mercury", url=server.url.replace("http:", "https:"))
        engine = RemoteEngine(endpoint, KEY)
        assert "does not speak TLS" in complaint(engine)
        engine.close()


def test_a_server_that_asks_to_wait_is_left_alone_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = [failure(429, "slow down", **{"Retry-After": "30"}), mercury("1")]
    now_s = 1000.0

    def script(asked: Asked) -> Reply | None:
        first = replies[0]
        return first if isinstance(first, Reply) else first(asked)

    with engine_at(script, "mercury") as (engine, server):
        monkeypatch.setattr(engine, "_patience", remote.Patience(lambda: now_s))
        assert "has too much to do (429: slow down)" in complaint(engine)
        assert "it is asked again in 30 s" in complaint(engine)
        now_s += 29
        assert "it is asked again in 1 s" in complaint(engine)
        assert server.asked.qsize() == 1
        now_s += 1
        del replies[0]
        assert fill(engine, request("x = $0\n")).text == "1"


def test_each_failure_in_a_row_is_waited_out_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    with engine_at(lambda _: failure(500, ""), "mercury") as (engine, server):
        monkeypatch.setattr(engine, "_patience", remote.Patience(lambda: now_s))
        for pause_s in (1, 2, 5, 15, 60, 60):
            complaint(engine)
            assert f"asked again in {pause_s} s" in complaint(engine)
            now_s += pause_s
        assert server.asked.qsize() == 6


def test_requests_that_are_refused_say_nothing_of_the_next() -> None:
    def script(asked: Asked) -> Reply | None:
        return failures.get(asked.body["prompt"]) or mercury("1")(asked)

    failures = {"bad = ": failure(400, "bad"), "worse = ": failure(500, "worse")}
    with engine_at(script, "mercury") as (engine, _):
        for _ in range(6):
            assert "does not take the request" in complaint(engine, "bad = $0\n")
        assert "failed (500: worse)" in complaint(engine, "worse = $0\n")
        assert "asked again in 1 s" in complaint(engine)


def test_what_another_sfumato_raises_is_passed_on() -> None:
    with engine_at(sfumato(DeviceError("out of memory.")), "sfumato") as (engine, _):
        assert "failed (out of memory)" in complaint(engine)
