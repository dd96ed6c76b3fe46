"""llama.cpp's `/infill`, asked as llama.vim and llama.vscode ask it, field by field.

Bodies as the plugins make them: llama.vim at a1c8e6e, llama.vscode 0.0.63.
"""

import json
import re
from typing import Any

import pytest

from tests.unit.test_endpoints import Recorder, client_of, events

VIM: dict[str, Any] = {
    "id_slot": 0,
    "input_prefix": "import os\n\n\ndef total(rows):\n",
    "input_suffix": "\n\n\nprint(total([1]))\n",
    "input_extra": [{"text": "def other():\n    pass\n", "time": [1, 2], "filename": "other.py"}],
    "prompt": "    return ",
    "n_predict": 128,
    "stop": [],
    "n_indent": 4,
    "top_k": 40,
    "top_p": 0.9,
    "samplers": ["top_k", "top_p", "infill"],
    "stream": False,
    "cache_prompt": True,
    "t_max_prompt_ms": 500,
    "t_max_predict_ms": 250,
    "response_fields": [
        "content",
        "timings/prompt_n",
        "timings/prompt_ms",
        "timings/prompt_per_token_ms",
        "timings/prompt_per_second",
        "timings/predicted_n",
        "timings/predicted_ms",
        "timings/predicted_per_token_ms",
        "timings/predicted_per_second",
        "truncated",
        "tokens_cached",
    ],
}

VIM_WARMS: dict[str, Any] = {
    **VIM,
    "input_prefix": "",
    "input_suffix": "",
    "prompt": "",
    "n_predict": 0,
    "temperature": 0.0,
    "samplers": [],
    "t_max_prompt_ms": 1,
    "t_max_predict_ms": 1,
    "response_fields": [""],
}

VSCODE: dict[str, Any] = {
    "id_slot": 0,
    "input_prefix": VIM["input_prefix"],
    "input_suffix": VIM["input_suffix"],
    "input_extra": [{"text": "x\n", "time": 1771000000000, "filename": "/a/b.py"}],
    "prompt": "    return ",
    "n_predict": 128,
    "n_cmpl": 3,
    "top_k": 40,
    "top_p": 0.99,
    "stream": False,
    "samplers": ["top_k", "top_p", "infill"],
    "cache_prompt": True,
    "n_indent": 4,
    "t_max_prompt_ms": 500,
    "t_max_predict_ms": 500,
}


def infill(body: dict[str, Any], engine: Recorder | None = None) -> Any:
    reply = client_of(engine or Recorder()).post("/infill", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_llama_vim_gets_the_fields_that_it_reads() -> None:
    engine = Recorder()
    reply = client_of(engine).post("/infill", json=VIM)
    assert re.match(r"\s*\{", reply.text)
    assert re.search(r'"content"\s*:"', reply.text)  # what the plugin looks for before it decodes
    assert set(reply.json()) == set(VIM["response_fields"])
    assert reply.json()["content"] == "sum(rows)"
    assert engine.sides == (VIM["input_prefix"] + VIM["prompt"], VIM["input_suffix"])
    assert engine.request.language == "python"
    assert 500 < engine.request.budget_ms <= 750  # less what it waited


def test_warming_the_cache_asks_nothing_of_the_engine() -> None:
    engine = Recorder()
    assert infill(VIM_WARMS, engine) == {}
    assert not engine.asked


def test_llama_vscode_gets_a_list_of_several_completions() -> None:
    found = infill(VSCODE, Recorder("a", "b"))
    assert [one["content"] for one in found] == ["a", "b", "a"]


def test_llama_vscode_gets_an_object_for_one_completion() -> None:
    found = infill({**VSCODE, "n_cmpl": 1})
    # the status bar reads these, and generation_settings has to be an object
    assert found["generation_settings"].get("n_ctx") is None
    assert found["tokens_cached"] == 50
    for name in ("prompt_n", "prompt_ms", "prompt_per_second", "predicted_n", "predicted_ms"):
        assert isinstance(found["timings"][name], int | float)


def test_a_line_that_is_indented_less_ends_a_fill() -> None:
    engine = Recorder("x\n    y\n\n  z\n    w")
    assert infill({**VIM, "n_indent": 4}, engine)["content"] == "x\n    y\n"
    assert infill({**VIM, "n_indent": 0}, engine)["content"] == "x\n    y\n\n  z\n    w"


def test_no_time_and_no_tokens_to_speak_of_are_the_servers_own() -> None:
    engine = Recorder()
    infill({"input_prefix": "x = ", "t_max_predict_ms": -1, "n_predict": -2}, engine)
    assert engine.request.budget_ms > 1000
    assert engine.request.max_tokens is None


@pytest.mark.parametrize(
    ("body", "stop_type"),
    [({}, "eos"), ({"n_predict": 6}, "limit"), ({"stop": ["("]}, "word")],
)
def test_why_a_fill_ended_is_said_in_llamas_words(body: dict[str, Any], stop_type: str) -> None:
    found = infill({"input_prefix": "x = ", **body})
    assert found["stop_type"] == stop_type
    assert found["stopping_word"] == "".join(body.get("stop", []))


def test_a_stream_ends_with_the_figures() -> None:
    text, last = events("/infill", input_prefix="x = ")
    assert (text["content"], text["stop"]) == ("sum(rows)", False)
    assert (last["content"], last["stop"], last["tokens_predicted"]) == ("", True, 6)


@pytest.mark.parametrize("extra", [{}, {"filename": "ok"}, {"filename": 1, "text": "a"}, 3])
def test_extra_text_of_another_form_is_refused(extra: Any) -> None:
    reply = client_of(Recorder()).post("/infill", json={"input_extra": [extra]})
    assert reply.status_code == 400
    assert json.loads(reply.text)["error"]["param"] == "input_extra"


VSCODE_EDITS: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "You are an expert coder.\n"},
        {"role": "user", "content": "Modify the following original code: return 1"},
    ],
    "stream": False,
    "cache_prompt": True,
    "temperature": 0.8,
    "top_p": 0.95,
}

VIM_INSTRUCTS: dict[str, Any] = {
    "id_slot": 0,
    "messages": [{"role": "user", "content": "INSTRUCTION: sort it"}],
    "min_p": 0.1,
    "temperature": 0.1,
    "samplers": ["min_p", "temperature"],
    "stream": True,
    "cache_prompt": True,
    "model": "",
}


@pytest.mark.parametrize("body", [VSCODE_EDITS, VIM_INSTRUCTS], ids=["vscode", "vim"])
def test_an_instruction_is_refused_for_what_it_is(body: dict[str, Any]) -> None:
    reply = client_of(Recorder()).post("/v1/chat/completions", json=body)
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "instructions_not_supported"


def test_an_empty_key_is_none_where_none_is_wanted() -> None:
    # llama.vim sends its api_key always, and has none unless it is set
    headers = {"Authorization": "Bearer "}
    reply = client_of(Recorder()).post("/infill", json=VIM | {"model": ""}, headers=headers)
    assert reply.status_code == 200
