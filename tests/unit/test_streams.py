"""Answers as server-sent events: what they hold, and what is said where something fails."""

from collections.abc import Generator

from engine import Draft, EngineBusy, InfillRequest, Suggestion
from tests.unit.test_endpoints import FENCED, Recorder, chat, client_of, events


def test_a_stream_has_the_text_then_the_reason_then_the_usage() -> None:
    options = {"include_usage": True}
    for path in ("/v1/completions", "/v1/fim/completions"):
        text, end, usage = events(path, prompt="x", stream_options=options)
        assert text["choices"][0]["text"] == "sum(rows)"
        assert text["choices"][0]["finish_reason"] is None
        assert end["choices"][0] == {
            "text": "",
            "index": 0,
            "finish_reason": "stop",
            "logprobs": None,
        }
        assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 56)
        assert text["id"] == end["id"] == usage["id"]


def test_a_stream_that_fails_under_way_says_so_in_its_last_event() -> None:
    [event] = events("/v1/completions", prompt="out of memory")
    assert event["error"]["message"] == "The device is out of memory."


def test_a_stream_that_cannot_begin_has_the_status_of_the_refusal() -> None:
    body = {"model": "m", "prompt": "too long", "stream": True}
    for path in ("/v1/completions", "/v1/fim/completions"):
        reply = client_of(Recorder()).post(path, json=body)
        assert reply.status_code == 400
        assert reply.json()["error"]["code"] == "context_length_exceeded"


def test_a_stream_for_which_there_is_no_room_is_asked_for_again_later() -> None:
    class Busy(Recorder):
        def infill(self, request: InfillRequest) -> Generator[Draft | Suggestion, None, None]:
            if request.text:
                raise EngineBusy("The engine is busy.")
            yield Draft("", 1, 0)

    reply = client_of(Busy()).post("/infill", json={"input_prefix": "x", "stream": True})
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")


def test_a_diffusing_stream_shows_whole_answers_that_sharpen() -> None:
    found = events("/v1/chat/completions", messages=chat(FENCED), diffusing=True)
    shown = [event["choices"][0]["delta"].get("content") for event in found]
    assert shown == [
        "```python\nx = \u2591\u2591\u2591\n```",
        "```python\nx = sum(rows)\n```",
        "```python\nx = sum(rows)\n```",
        None,
    ]
    assert found[-1]["choices"][0]["finish_reason"] == "stop"


def test_other_streams_say_each_thing_once() -> None:
    found = events("/v1/chat/completions", messages=chat(FENCED))
    shown = [event["choices"][0]["delta"].get("content") for event in found]
    assert shown == ["```python\nx = sum(rows)\n```", None]
