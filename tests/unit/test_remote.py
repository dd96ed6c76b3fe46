"""A server of somebody else's is an engine as any other; what is wrong with it is one sentence."""

import math
import ssl
from collections.abc import Generator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from engine.desk import Desk
from engine.errors import DeviceError, EndpointError
from engine.remote import engine as remote
from engine.remote.endpoint import Endpoint
from engine.remote.engine import UNRATED_NATS, RemoteEngine
from engine.types import Draft, InfillRequest, Span, Suggestion, Timings
from tests.support.stand_in import (
    KEY,
    Asked,
    Reply,
    Script,
    StandIn,
    events,
    failure,
    llama,
    mercury,
    serving,
    sfumato,
    vllm,
    with_suffix,
)

SERVING_MS = 20_000.0
"""Plenty: no test waits for it."""


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


# What each kind is asked, and what is made of its answer.


def test_mercury_is_asked_with_prefix_suffix_and_key() -> None:
    with engine_at(mercury("compute", "()"), "mercury") as (engine, server):
        found = fill(engine, request("def f():\n    return $0\n\nprint(f())\n"))
    asked = server.asked.get_nowait().body
    assert (asked["prompt"], asked["suffix"]) == ("def f():\n    return ", "\n\nprint(f())\n")
    assert (found.text, found.verdict) == ("compute()", "valid")
    assert found.score_nats == UNRATED_NATS


def test_llama_tells_how_sure_it_is_of_each_token() -> None:
    script = llama(("to", -0.1, {}), ("tal", -0.2, {}))
    with engine_at(script, "llama.cpp") as (engine, server):
        found = fill(engine, request("total = 1\nx = $0\n"))
    assert server.asked.get_nowait().path == "/infill"
    assert found.text == "total"
    assert math.isclose(found.score_nats, -0.3)


def test_a_prompt_is_written_for_servers_that_do_not() -> None:
    script = vllm("Qwen/Qwen2.5-Coder-0.5B", ("1", -0.5))
    with engine_at(script, "vllm", model="Qwen/Qwen2.5-Coder-0.5B") as (engine, server):
        found = fill(engine, request("# {suffix}\nx = $0\ny = 2\n"))
    prompt = server.asked.get_nowait().body["prompt"]
    assert prompt == "<|fim_prefix|># {suffix}\nx = <|fim_suffix|>\ny = 2\n<|fim_middle|>"
    assert (found.text, found.score_nats) == ("1", -0.5)


def test_a_prompt_may_be_the_users_own() -> None:
    """As for a diffusion model behind SGLang, which was taught to talk and not to fill."""
    asked_for = "<role>HUMAN</role>Fill ▮:\n{prefix}▮{suffix}<role>ASSISTANT</role>"

    def answer(_: Asked) -> Reply:
        texts = ("```", "python\n", "len(x)", "\n```")
        chunks = [{"choices": [{"text": text, "finish_reason": None}]} for text in texts]
        return Reply(parts=events(*chunks, "[DONE]"))

    with engine_at(answer, "sglang", template=asked_for) as (engine, server):
        assert fill(engine, request("n = $0\n")).text == "len(x)"
    asked = server.asked.get_nowait().body
    assert asked["prompt"] == "<role>HUMAN</role>Fill ▮:\nn = ▮\n<role>ASSISTANT</role>"
    assert "suffix" not in asked
    assert asked["stop"] == []


@pytest.mark.parametrize("kind", ["sglang", "openai"])
def test_without_a_template_the_server_writes_the_prompt(kind: str) -> None:
    with engine_at(with_suffix("a", " + b"), kind, model="code") as (engine, _):
        assert fill(engine, request("c = $0\n")).text == "a + b"


def test_another_sfumato_is_shown_as_it_draws() -> None:
    timings = Timings(0, 0, 0, 9.0, 0, 0, forward_passes=3, filled_tokens=2)
    words = [Draft("na░", 1, 1), Suggestion("name", -0.25, "valid", timings)]
    with engine_at(sfumato(*words), "sfumato", key=KEY) as (engine, server):
        asked = replace(request("name = 1\nx = $0\n"), workspace="secret", file="plan.py")
        *drafts, last = dict.fromkeys(engine.infill(asked))
    sent = server.asked.get_nowait().body
    assert (sent["language"], sent["workspace"], sent["file"]) == ("python", "", "")
    assert Draft("na░", 1, 1) in drafts
    assert isinstance(last, Suggestion)
    assert (last.text, last.score_nats, last.verdict) == ("name", -0.25, "valid")
    assert (last.timings.forward_passes, last.timings.filled_tokens) == (3, 2)


def test_what_another_sfumato_raises_is_passed_on() -> None:
    with engine_at(sfumato(DeviceError("out of memory.")), "sfumato") as (engine, _):
        assert "failed (out of memory)" in complaint(engine)


def test_a_server_that_does_not_stream_is_understood() -> None:
    whole = '{"choices": [{"message": {"content": "a + b"}, "finish_reason": "stop"}]}'

    def answer(_: Asked) -> Reply:
        return Reply(kind="application/json", parts=[whole])

    with engine_at(answer, "openai", model="code") as (engine, _):
        assert fill(engine, request("c = $0\n")).text == "a + b"


def test_drafts_grow_with_the_answer() -> None:
    with engine_at(mercury("one", " + ", "two"), "mercury") as (engine, _):
        drafts = [word.text for word in engine.infill(request("x = $0\n"))]
    assert [text for text in dict.fromkeys(drafts) if text != "░"] == [
        "one░",
        "one + ░",
        "one + two",
    ]


def test_no_more_context_is_sent_than_the_endpoint_takes() -> None:
    with serving(mercury("1")) as server:
        given = Endpoint.usual("mercury", url=server.url)
        small = Endpoint(given.kind, given.url, given.model, given.key, context_bytes=80)
        engine = RemoteEngine(small, KEY)
        assert fill(engine, request("a = 0\n" * 99 + "x = $0" + "\nb = 0" * 99)).text == "1"
        engine.close()
    asked = server.asked.get_nowait().body
    assert asked["prompt"] == "a = 0\n" * 9 + "x = "
    assert asked["suffix"] == "\nb = 0" * 3


# What comes back is held against the same gate.


def test_what_stands_behind_the_hole_is_not_said_again() -> None:
    with engine_at(mercury("name", ")\nother(", ")"), "mercury") as (engine, _):
        assert fill(engine, request("call($0)\n")).text == "name"


def test_a_fault_is_mended_with_what_the_server_nearly_said() -> None:
    script = llama(("(", -0.1, {}), ("a", -0.1, {}), ("]", -0.9, {"]": -0.9, ")": -1.0}))
    with engine_at(script, "llama.cpp") as (engine, _):
        found = fill(engine, request("a = 1\nx = f$0\n"))
    assert (found.text, found.verdict) == ("(a)", "repaired")


def test_a_word_too_many_is_left_out() -> None:
    with engine_at(mercury("sum(1, 2))"), "mercury") as (engine, _):
        found = fill(engine, request("x = $0\n"))
    assert (found.text, found.verdict) == ("sum(1, 2)", "repaired")


def test_of_a_faulty_answer_the_sound_head_is_kept() -> None:
    with engine_at(mercury("x = 1\n", "y = ((((\nz"), "mercury") as (engine, _):
        found = fill(engine, request("def f():\n    $0\n", max_lines=5))
    assert (found.text, found.verdict) == ("x = 1", "cut")


def test_nothing_sound_is_nothing() -> None:
    with engine_at(mercury(")]}"), "mercury") as (engine, _):
        found = fill(engine, request("x = $0\n"))
    assert (found.text, found.verdict) == ("", "rejected")


def test_a_text_without_a_grammar_is_shown_as_it_came() -> None:
    with engine_at(mercury("dear )]}", "<|endoftext|>x"), "mercury") as (engine, _):
        found = fill(engine, request("Oh $0\n", "plaintext"))
    assert (found.text, found.verdict) == ("dear )]}", "unchecked")


# Whoever pulls may stop; what is late is cut.


def test_a_request_that_is_dropped_is_hung_up_on() -> None:
    def hold(_: Asked) -> Reply:
        return Reply(parts=[None])

    with engine_at(hold, "mercury") as (engine, server):
        steps = engine.infill(request("x = $0\n"))
        next(steps)  # comes although the server says nothing
        steps.close()
        assert server.hung_up.wait(10)


def test_what_has_come_in_time_is_the_answer_up_to_its_last_word() -> None:
    def hold(_asked: Asked) -> Reply:
        first, *_ = events({"choices": [{"text": "alpha be", "finish_reason": None}]})
        return Reply(parts=[first, None])

    with engine_at(hold, "mercury") as (engine, server):
        asked = request("alpha = 1\nx = $0\n")
        steps = engine.infill(InfillRequest(asked.text, asked.hole, "python", budget_ms=600.0))
        *_, last = steps
        assert server.hung_up.wait(10)
    assert isinstance(last, Suggestion)
    assert (last.text, last.verdict) == ("alpha", "valid")


def test_a_server_that_sends_nothing_in_time_is_said_to_be_slow() -> None:
    def hold(_: Asked) -> Reply:
        return Reply(parts=[None])

    with engine_at(hold, "mercury") as (engine, _):
        asked = request("x = $0\n")
        late = InfillRequest(asked.text, asked.hole, "python", budget_ms=60.0)
        with pytest.raises(EndpointError, match="sent nothing within"):
            fill(engine, late)
        with pytest.raises(EndpointError, match="sent nothing within"):
            fill(engine, late)  # and is asked again at once


def test_a_request_that_waited_too_long_is_not_passed_on() -> None:
    with engine_at(mercury("1"), "mercury") as (engine, server):
        late = InfillRequest(b"x = \n", Span(4, 4), "python", budget_ms=0.0)
        assert fill(engine, late).text == ""
        assert server.asked.empty()


def test_lines_that_are_not_wanted_are_not_waited_for() -> None:
    def hold(_asked: Asked) -> Reply:
        first, *_ = events({"choices": [{"text": "1\ny = 2\n", "finish_reason": None}]})
        return Reply(parts=[first, None])

    with engine_at(hold, "mercury") as (engine, _):
        assert fill(engine, request("x = $0\n", max_lines=2)).text == "1\ny = 2"


@pytest.mark.asyncio
async def test_one_request_does_not_wait_for_another() -> None:
    def script(asked: Asked) -> Reply:
        held = Reply(parts=[None])
        return held if "slow" in asked.body["prompt"] else mercury("1")(asked)

    with engine_at(script, "mercury") as (engine, _):
        desk = Desk(engine)
        async with aclosing(desk.words(request("slow = $0\n"), "one")) as slow:
            await anext(slow)
            *_, last = [word async for word in desk.words(request("x = $0\n"), "other")]
            assert last.text == "1"


# What is wrong is one sentence, and the server is left alone for a while.


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (failure(401, "bad key"), "refuses the key INCEPTION_API_KEY (401: bad key)"),
        (failure(404, "no such model"), "is not there (404: no such model)"),
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


def test_a_server_without_tls_is_one_sentence() -> None:
    with serving(mercury("1")) as server:
        endpoint = Endpoint.usual("mercury", url=server.url.replace("http:", "https:"))
        engine = RemoteEngine(endpoint, KEY)
        assert "does not speak TLS" in complaint(engine)
        engine.close()


def test_a_server_that_asks_to_wait_is_left_alone_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = [failure(429, "slow down", **{"Retry-After": "30"}), mercury("1")]
    now_s = 1000.0

    def script(asked: Asked) -> Reply:
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


def test_a_request_that_is_refused_says_nothing_of_the_next() -> None:
    def script(asked: Asked) -> Reply:
        bad = "bad" in asked.body["prompt"]
        return failure(400, "bad") if bad else mercury("1")(asked)

    with engine_at(script, "mercury") as (engine, _):
        assert "does not take the request" in complaint(engine, "bad = $0\n")
        assert fill(engine, request("x = $0\n")).text == "1"
