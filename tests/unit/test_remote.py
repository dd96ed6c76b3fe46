"""A server of somebody else's is an engine as any other."""

import json
import math
import threading
import time
from collections.abc import Generator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from engine.desk import Desk
from engine.errors import EndpointError
from engine.remote.endpoint import Endpoint
from engine.remote.engine import UNRATED_NATS, RemoteEngine
from engine.types import Draft, InfillRequest, Span, Suggestion, Timings
from tests.support.remote import SERVING_MS, chosen, engine_at, fill, request
from tests.support.stand_in import (
    KEY,
    Asked,
    Reply,
    events,
    llama,
    mercury,
    serving,
    sfumato,
    vllm,
    with_suffix,
)

SPLIT = "'é\u2028\x85漢'"
NO_TIME = Timings(0, 0, 0, 0, 0, 0, 0, 0)


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


def test_a_token_that_holds_the_stop_string_is_rated_too() -> None:
    """As where ")" and the line's end are one token: vLLM sends the former, and rates the whole."""
    rated = {"tokens": ["total\n"], "token_logprobs": [-0.5], "top_logprobs": [None]}
    choice = {"text": "total", "logprobs": rated, "finish_reason": "stop"}
    reply = Reply(parts=events({"choices": [choice]}, "[DONE]"))
    with engine_at(lambda _: reply, "vllm", model="starcoder") as (engine, _):
        found = fill(engine, request("total = 1\nx = $0\n"))
    assert (found.text, found.score_nats) == ("total", -0.5)


def test_tokens_may_be_rated_as_in_a_chat() -> None:
    """As llama.cpp's /v1/completions does, beside its /infill."""

    def answer(_: Asked) -> Reply:
        rivals = [{"token": text, "logprob": -1.0} for text in ("]", ")")]
        tokens = [{"token": text, "logprob": -0.1, "top_logprobs": rivals} for text in ("(a", "]")]
        chunks = [
            {"choices": [{"text": token["token"], "logprobs": {"content": [token]}}]}
            for token in tokens
        ]
        return Reply(parts=events(*chunks, "[DONE]"))

    with engine_at(answer, "vllm", model="starcoder") as (engine, _):
        found = fill(engine, request("a = 1\nx = f$0\n"))
    assert (found.text, found.verdict) == ("(a)", "repaired")


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


def sent_of(text: str) -> dict[str, Any]:
    """The body of a request with so much text to a server that takes 80 bytes of it."""
    with serving(mercury("1")) as server:
        given = Endpoint.usual("mercury", url=server.url)
        small = Endpoint(given.kind, given.url, given.model, given.key, context_bytes=80)
        engine = RemoteEngine(small, KEY)
        assert fill(engine, request(text)).text == "1"
        engine.close()
    return server.asked.get_nowait().body


def test_no_more_context_is_sent_than_the_endpoint_takes() -> None:
    asked = sent_of("a = 0\n" * 99 + "x = $0" + "\nb = 0" * 99)
    assert asked["prompt"] == "a = 0\n" * 9 + "x = "
    assert asked["suffix"] == "\nb = 0" * 3


def test_of_a_line_that_is_too_long_the_part_at_the_hole_is_sent() -> None:
    asked = sent_of("é" * 99 + " = $0 + " + "ö" * 99)
    assert asked["prompt"] == "é" * 28 + " = "
    assert asked["suffix"] == " + " + "ö" * 8


def test_a_server_is_given_less_time_than_there_is() -> None:
    """Its answer has to come back, and to be checked."""
    with engine_at(sfumato(Suggestion("1", 0.0, "valid", NO_TIME)), "sfumato") as (engine, server):
        fill(engine, request("x = $0\n"))
    assert server.asked.get_nowait().body["budget_ms"] < 0.8 * SERVING_MS


def test_a_llama_server_with_several_models_is_told_which() -> None:
    with engine_at(llama(("1", -0.1, {})), "llama.cpp", model="coder") as (engine, server):
        fill(engine, request("x = $0\n"))
    assert server.asked.get_nowait().body["model"] == "coder"


# Answers arrive in whatever pieces, on lines that are kept.


def test_a_character_may_arrive_in_two_pieces_and_be_a_line_break_elsewhere() -> None:
    data = f"data: {json.dumps(chosen(SPLIT), ensure_ascii=False)}\n\ndata: [DONE]\n\n".encode()
    pieces = [data[at : at + 1] for at in range(len(data))]
    with engine_at(lambda _: Reply(parts=pieces), "mercury") as (engine, _):
        assert fill(engine, request("x = $0\n")).text == SPLIT


def test_a_connection_is_kept_although_the_answer_is_known_before_its_end() -> None:
    ending = threading.Semaphore(0)

    def script(_: Asked) -> Reply:
        def parts() -> Generator[str]:
            yield from events({"choices": [{"text": "1", "finish_reason": "stop"}]})
            ending.acquire(timeout=30)
            yield from events("[DONE]")

        return Reply(parts=parts())

    with engine_at(script, "mercury") as (engine, server):
        for _ in range(20):
            assert fill(engine, request("x = $0\n")).text == "1"
            time.sleep(0.02)  # whoever would hang up has done so
            ending.release()
            if server.connections < server.asked.qsize():
                break
    assert server.connections < server.asked.qsize()


def test_a_kept_connection_that_the_server_just_closed_is_made_anew() -> None:
    silent = iter([False, True])

    def script(asked: Asked) -> Reply | None:
        return None if next(silent, False) else mercury("1")(asked)

    with engine_at(script, "mercury") as (engine, _):
        assert fill(engine, request("x = $0\n")).text == "1"
        assert fill(engine, request("x = $0\n")).text == "1"


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
        steps = engine.infill(InfillRequest(asked.text, asked.hole, "python", budget_ms=2000.0))
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
    def script(asked: Asked) -> Reply | None:
        held = Reply(parts=[None])
        return held if "slow" in asked.body["prompt"] else mercury("1")(asked)

    with engine_at(script, "mercury") as (engine, _):
        desk = Desk(engine)
        async with aclosing(desk.words(request("slow = $0\n"), "one")) as slow:
            await anext(slow)
            *_, last = [word async for word in desk.words(request("x = $0\n"), "other")]
            assert last.text == "1"
