"""Other people's interfaces: what they are asked, what they answer, how they refuse."""

import json
from collections.abc import Generator
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine import (
    Alternative,
    DeviceError,
    Draft,
    EngineInfo,
    InfillRequest,
    RequestTooLong,
    Suggestion,
    Timings,
    WorkspaceChange,
)
from engine.batch import Batch
from engine.desk import Desk
from engine.endpoints.access import Keys
from engine.endpoints.guard import Limits
from engine.endpoints.listen import guarded

TIMINGS = Timings(10.0, 30.0, 5.0, 46.0, 20, 50, 4, 6)
PYTHON = "import os\n\n\ndef total(rows):\n    return "


class Recorder:
    """Answers as it was told, and keeps what it was asked."""

    def __init__(self, *texts: str, tokens: int = 6) -> None:
        self.texts = texts or ("sum(rows)",)
        self.tokens = tokens
        self.asked: list[InfillRequest] = []
        self.batch = Batch()
        self.info = EngineInfo("0", "sfumato-test", "", 1, "cpu", "float32", 1)

    def infill(self, request: InfillRequest) -> Generator[Draft | Suggestion, None, None]:
        self.asked.append(request)
        if b"too long" in request.text:
            raise RequestTooLong("The text is too long.")
        if b"bug" in request.text:
            raise ZeroDivisionError("a bug")
        first, *others = self.texts[: request.alternatives]
        yield Draft("\u2591" * 3, 1, 3)
        if b"out of memory" in request.text:
            raise DeviceError("The device is out of memory.")
        yield Draft(first, 2, 0)
        alternatives = tuple(Alternative(text, -2.0, "valid", 2) for text in others)
        yield Suggestion(first, -1.0, "valid", TIMINGS, alternatives)

    def index(self, change: WorkspaceChange) -> int:
        return len(change.files)

    @property
    def request(self) -> InfillRequest:
        return self.asked[-1]

    @property
    def sides(self) -> tuple[str, str]:
        """The texts around the hole that was asked for last."""
        place = self.request.hole.start
        return self.request.text[:place].decode(), self.request.text[place:].decode()


def client_of(engine: Recorder) -> TestClient:
    app = guarded(Desk(engine), Keys(), Limits())
    return TestClient(app, base_url="http://localhost", raise_server_exceptions=False)


def ask(path: str, engine: Recorder | None = None, **body: Any) -> Any:
    """The answer to a body, which has to be a good one."""
    reply = client_of(engine or Recorder()).post(path, json={"model": "any", **body})
    assert reply.status_code == 200, reply.text
    return reply.json()


def refusal(path: str, **body: Any) -> Any:
    reply = client_of(Recorder()).post(path, json={"model": "any", **body})
    assert reply.status_code == 400
    return reply.json()["error"]


def events(path: str, engine: Recorder | None = None, **body: Any) -> list[Any]:
    """The events of a stream, its last line checked and left out."""
    body = {"model": "any", "stream": True, **body}
    reply = client_of(engine or Recorder()).post(path, json=body)
    assert reply.headers["content-type"].startswith("text/event-stream")
    lines = reply.text.removesuffix("\n\n").split("\n\n")
    if path != "/infill":
        assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_a_hole_is_filled_as_mercury_does() -> None:
    engine = Recorder()
    found = ask("/v1/fim/completions", engine, prompt=PYTHON, suffix="\n")
    assert found["object"] == "text_completion"
    assert found["choices"] == [
        {"text": "sum(rows)", "index": 0, "finish_reason": "stop", "logprobs": None}
    ]
    assert found["model"] == "sfumato-test"
    assert found["usage"] == {
        "prompt_tokens": 50,
        "completion_tokens": 6,
        "total_tokens": 56,
        "cached_input_tokens": 30,
        "reasoning_tokens": 0,
    }
    assert engine.sides == (PYTHON, "\n")
    assert engine.request.language == "python"
    assert engine.request.max_tokens == 512


def test_a_fill_ends_before_a_blank_line_unless_stop_says_otherwise() -> None:
    engine = Recorder("a\n\nb")
    assert ask("/v1/fim/completions", engine, prompt="x")["choices"][0]["text"] == "a"
    found = ask("/v1/fim/completions", engine, prompt="x", stop=["b"])
    assert found["choices"][0]["text"] == "a\n\n"


def test_the_first_of_several_stop_strings_ends_a_fill() -> None:
    found = ask("/v1/completions", Recorder("one two"), prompt="x", stop=["two", "ne", "e"])
    assert found["choices"][0] == {
        "text": "o",
        "index": 0,
        "finish_reason": "stop",
        "logprobs": None,
    }


def test_a_line_break_as_stop_string_asks_for_one_line() -> None:
    engine = Recorder()
    ask("/v1/completions", engine, prompt="x", stop="\n")
    assert engine.request.max_lines == 1
    ask("/v1/completions", engine, prompt="x")
    assert engine.request.max_lines > 1


def test_a_fill_of_all_the_tokens_it_may_have_was_cut_by_length() -> None:
    engine = Recorder()
    full = ask("/v1/completions", engine, prompt="x", max_tokens=6)
    assert full["choices"][0]["finish_reason"] == "length"
    assert engine.request.max_tokens == 6
    whole = ask("/v1/completions", engine, prompt="x")
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert engine.request.max_tokens == 16


def test_as_many_choices_come_as_were_asked_for() -> None:
    found = ask("/v1/completions", Recorder("a", "b"), prompt="x", n=3)
    assert [choice["text"] for choice in found["choices"]] == ["a", "b", "a"]
    assert [choice["index"] for choice in found["choices"]] == [0, 1, 2]
    assert found["usage"]["completion_tokens"] == 8


def test_best_of_looks_at_more_than_it_gives() -> None:
    engine = Recorder("a", "b", "c")
    found = ask("/v1/completions", engine, prompt="x", best_of=3)
    assert [choice["text"] for choice in found["choices"]] == ["a"]
    assert engine.request.alternatives == 3


def test_a_seed_is_kept_and_without_one_only_drawn_fills_differ() -> None:
    engine = Recorder()
    for body in ({"seed": 7}, {}, {}, {"temperature": 0.8}, {"temperature": 0.8}):
        ask("/v1/completions", engine, prompt="x", **body)
    seven, same, again, drawn, other = (request.seed for request in engine.asked)
    assert (seven, same) == (7, again)
    assert drawn != other
    assert engine.request.temperature == 0.8


def test_a_prompt_is_echoed_on_demand() -> None:
    found = ask("/v1/completions", prompt="x = ", echo=True)
    assert found["choices"][0]["text"] == "x = sum(rows)"


@pytest.mark.parametrize(
    "prompt",
    [
        "<|fim_prefix|>a = <|fim_suffix|>\nb<|fim_middle|>",
        "<fim_prefix>a = <fim_suffix>\nb<fim_middle>",
        "<|code_prefix|>a = <|code_suffix|>\nb<|code_middle|>",
        "<PRE> a =  <SUF>\nb <MID>",
        "<｜fim▁begin｜>a = <｜fim▁hole｜>\nb<｜fim▁end｜>",
        "[SUFFIX]\nb[PREFIX]a = ",
        "<[fim-suffix]>\nb<[fim-prefix]>a = <[fim-middle]>",
        "<|file_sep|>x.rs\nx\n<|file_sep|>b.go\n<|fim_prefix|>a = <|fim_suffix|>\nb<|fim_middle|>",
    ],
)
def test_prompts_with_the_marks_of_other_models_have_a_suffix(prompt: str) -> None:
    engine = Recorder()
    ask("/v1/completions", engine, prompt=prompt)
    assert engine.sides == ("a = ", "\nb")
    assert engine.request.language == ("go" if "file_sep" in prompt else "")


def test_code_that_only_looks_like_marks_is_code() -> None:
    engine = Recorder()
    for prompt in ("x[SUFFIX] = y[PREFIX]", "[SUFFIX]", "<|fim_prefix|>a<|fim_suffix|>b"):
        ask("/v1/completions", engine, prompt=prompt)
        assert engine.sides == (prompt, "")


def test_the_end_of_the_text_is_no_text() -> None:
    engine = Recorder()
    for path in ("/v1/completions", "/v1/fim/completions"):
        ask(path, engine, prompt="x = ", suffix="<|endoftext|>")
        assert engine.sides == ("x = ", "")


def test_a_whole_number_may_be_written_with_a_point() -> None:
    engine = Recorder()
    reply = client_of(engine).post(
        "/v1/completions",
        content='{"model": "m", "prompt": "x", "max_tokens": 9.0, "temperature": 1.0}',
        headers={"content-type": "application/json"},
    )
    assert reply.status_code == 200
    assert (engine.request.max_tokens, engine.request.temperature) == (9, 1.0)


def test_null_is_as_good_as_absent() -> None:
    body = {"suffix": None, "max_tokens": None, "stop": None, "n": None, "stream": None}
    assert ask("/v1/completions", prompt="x", temperature=None, logprobs=None, **body)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": 3}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": "x", "max_tokens": 0}, "max_tokens"),
        ({"prompt": "x", "temperature": 2.5}, "temperature"),
        ({"prompt": "x", "n": 9}, "n"),
        ({"prompt": "x", "logprobs": 1}, "logprobs"),
        ({"prompt": "x", "logit_bias": {"3": -100}}, "logit_bias"),
        ({"prompt": "x", "n": 3, "best_of": 2}, "best_of"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    error = refusal("/v1/completions", **body)
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert error["message"].endswith(".")


def test_what_the_engine_refuses_and_what_breaks_in_it_have_their_status() -> None:
    client = client_of(Recorder())
    for text, status, code in (
        ("too long", 400, "context_length_exceeded"),
        ("bug", 500, "server_error"),
    ):
        reply = client.post("/v1/completions", json={"model": "m", "prompt": text})
        assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


def test_only_json_is_read() -> None:
    client = client_of(Recorder())
    assert client.post("/infill", content="{}").status_code == 415
    typed = {"content-type": "application/json; charset=utf-8"}
    assert client.post("/infill", content="{}", headers=typed).status_code == 200
    for body in ("", "{", "[]", '"x"', "[" * 100_000, '{"prompt": "\\ud800"}'):
        reply = client.post("/v1/completions", content=body, headers=typed)
        assert reply.status_code == 400
        assert reply.json()["error"]["message"]


def test_unknown_paths_and_methods_are_refused_in_the_same_shape() -> None:
    client = client_of(Recorder())
    assert client.get("/v2").json()["error"]["message"] == "There is no /v2 here."
    reply = client.get("/infill")
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    assert "error" in reply.json()


# Chats and edits.

FENCED = "Fill this:\n```python\nx = $0\n```\nThanks."


def chat(text: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "You help."}, {"role": "user", "content": text}]


def test_a_chat_is_answered_with_its_block_filled() -> None:
    engine = Recorder()
    found = ask("/v1/chat/completions", engine, messages=chat(FENCED))
    message = found["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "```python\nx = sum(rows)\n```"}
    assert engine.sides == ("x = ", "\n")
    assert engine.request.language == "python"


def test_instructions_are_refused_by_a_model_that_follows_none() -> None:
    for text in ("Write a sort.", "```python\nx = 1\n```", FENCED + FENCED):
        error = refusal("/v1/chat/completions", messages=chat(text))
        assert error["code"] == "instructions_not_supported"
        assert "$0" in error["message"]


EDIT = """<|recently_viewed_code_snippets|>
<|/recently_viewed_code_snippets|>
<|current_file_content|>
current_file_path: src/sums.py
import os
<|code_to_edit|>
def total(rows):
    return <|cursor|>
<|/code_to_edit|>
print(total([]))
<|/current_file_content|>
<|edit_diff_history|>
<|/edit_diff_history|>
"""


def test_an_edit_rewrites_the_region_at_its_cursor() -> None:
    engine = Recorder()
    found = ask("/v1/edit/completions", engine, messages=[{"role": "user", "content": EDIT}])
    assert found["object"] == "edit.completion"
    content = found["choices"][0]["message"]["content"]
    # Zed takes off "```\n" and "\n```", Continue reads from "```\n" to the last "\n\n```"
    assert content == "```\ndef total(rows):\n    return sum(rows)\n\n```"
    assert engine.sides == (
        "import os\ndef total(rows):\n    return ",
        "\nprint(total([]))\n",
    )
    assert (engine.request.language, engine.request.temperature) == ("python", 0.2)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/v1/chat/completions", "```a\n" * 200_000),
        ("/v1/edit/completions", f"<|current_file_content|>{'<|code_to_edit|>' * 50_000}"),
    ],
)
def test_a_message_that_opens_much_and_closes_nothing_holds_nobody_up(path: str, text: str) -> None:
    assert refusal(path, messages=chat(text))["param"] == "messages"


def test_an_edit_needs_its_tags_and_is_not_streamed() -> None:
    messages = [{"role": "user", "content": EDIT.replace("<|cursor|>", "")}]
    assert refusal("/v1/edit/completions", messages=messages)["param"] == "messages"
    messages = [{"role": "user", "content": EDIT}]
    assert refusal("/v1/edit/completions", messages=messages * 2)["param"] == "messages"
    error = refusal("/v1/edit/completions", messages=messages, stream=True)
    assert error["param"] == "stream"


# What else is served.


def test_the_model_is_listed_wherever_clients_look_for_it() -> None:
    client = client_of(Recorder())
    for path in ("", "/fim/completions", "/edit/completions", "/chat/completions"):
        [model] = client.get(f"/v1{path}/models").json()["data"]
        assert model["id"] == "sfumato-test"


def test_prometheus_is_told_what_was_done_and_nothing_of_what_was_said() -> None:
    client = client_of(Recorder())
    client.post("/v1/completions", json={"model": "m", "prompt": "secret"})
    client.get("/secret")
    told = client.get("/metrics").text
    assert 'sfumato_requests_total{client="local",path="/v1/completions",status="200"} 1.0' in told
    assert 'sfumato_fills_total{verdict="valid"} 1.0' in told
    assert 'sfumato_tokens_total{kind="cached"} 30.0' in told
    assert "sfumato_fill_seconds_count 1.0" in told
    assert "secret" not in told


def test_the_language_is_told_by_the_client_or_by_the_text() -> None:
    engine = Recorder()
    for body, language in (
        ({"prompt": "x", "language": "rust"}, "rust"),
        ({"prompt": "-- language: go\nx"}, "go"),
        ({"prompt": PYTHON}, "python"),
        ({"prompt": "func (s *Set) Len() int {\n\treturn len(s.items)\n}\n\nfunc New() "}, "go"),
        ({"prompt": "hello there"}, ""),
    ):
        ask("/v1/fim/completions", engine, **body)
        assert engine.request.language == language
