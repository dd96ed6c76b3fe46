"""How each kind of server is asked for a fill, and what it answers. No connection is made here.

Sources: Inception's API reference (/v1/fim/completions); llama.cpp's tools/server/README.md
(/infill; its /v1/completions leaves `suffix` out, vLLM's refuses it); OpenAI's reference of the
legacy completions; SGLang's code_completion_parser.py; `engine.wire` for our own.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from engine import wire
from engine.remote.answer import Answer, Piece
from engine.remote.endpoint import Endpoint, Kind
from engine.remote.templates import TEMPLATES, filled
from engine.types import Draft, InfillRequest, Suggestion

_TOP = 5
"""Alternatives to each token that are asked for where they can be had: for repair."""
_LINE_TOKENS, _MOST_TOKENS = 64, 512

Json = dict[str, Any]


class ServerError(Exception):
    """The server says within its answer that it failed; the message is its own."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the hole's surroundings, cut to size, and the request they come from."""

    prefix: str
    suffix: str
    request: InfillRequest

    @property
    def max_tokens(self) -> int:
        """A bound on what is paid for; the hole's own length where that is known."""
        given = self.request.length_tokens or self.request.max_tokens
        return given or min(_LINE_TOKENS * self.request.max_lines, _MOST_TOKENS)

    @property
    def sampling(self) -> Json:
        """Greedy, unless the request would rather have the tokens drawn."""
        return {"temperature": self.request.temperature or 0, "seed": self.request.seed}

    @property
    def stop(self) -> list[str]:
        """Texts behind which nothing is wanted."""
        return ["\n"] if self.request.max_lines == 1 else []


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event, or a whole body in its place."""

    name: str
    data: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of server.

    path   of a request
    body   what is posted there
    hear   the answer with what an event adds. Raises ServerError on an event that is a failure,
           what a wrong shape raises on one that is none of this dialect's
    """

    path: str
    body: Callable[[Endpoint, Question], Json]
    hear: Callable[[Answer, Event], Answer]


def _completions(endpoint: Endpoint, question: Question) -> Json:
    body: Json = {"max_tokens": question.max_tokens, "stop": question.stop, "stream": True}
    if endpoint.model:
        body["model"] = endpoint.model
    template = endpoint.prompt_template
    if not template:
        return body | {"prompt": question.prefix, "suffix": question.suffix}
    if template not in TEMPLATES.values():  # a talker may begin with a fence, and a line break
        body["stop"] = []
    return body | {"prompt": filled(template, question.prefix, question.suffix)}


def _sampled_completions(endpoint: Endpoint, question: Question) -> Json:
    return _completions(endpoint, question) | question.sampling


def _rated_completions(endpoint: Endpoint, question: Question) -> Json:
    return _sampled_completions(endpoint, question) | {"logprobs": _TOP}


def _llama(endpoint: Endpoint, question: Question) -> Json:
    return {
        **({"model": endpoint.model} if endpoint.model else {}),
        "input_prefix": question.prefix,
        "input_suffix": question.suffix,
        "prompt": "",
        "n_predict": question.max_tokens,
        "t_max_predict_ms": round(question.request.budget_ms),
        "stop": question.stop,
        "n_probs": _TOP,
        "cache_prompt": True,
        "stream": True,
        **question.sampling,
    }


def _own(_: Endpoint, question: Question) -> Json:
    return json.loads(wire.to_json(question.request))


def _hear_completions(answer: Answer, event: Event) -> Answer:
    if event.data == "[DONE]":
        return replace(answer, done=True)
    found = _read(event)
    if not found["choices"]:  # usage, at the end
        return answer
    choice: Json = found["choices"][0]
    message: Json = choice.get("delta") or choice.get("message") or {}  # as Mistral's
    text: object = choice.get("text", message.get("content"))
    if not isinstance(text, str | None):
        raise TypeError(f"text should be a string, found {text!r}")
    pieces = _rated(text or "", _choice_logprobs(choice.get("logprobs") or {}))
    return answer.grown(pieces, done=choice.get("finish_reason") is not None)


def _hear_llama(answer: Answer, event: Event) -> Answer:
    found = _read(event)
    text = found["content"]
    if not isinstance(text, str):
        raise TypeError(f"content should be a string, found {text!r}")
    tokens = _tokens(found.get("completion_probabilities") or [])
    return answer.grown(_rated(text, tokens), done=bool(found["stop"]))


def _hear_own(answer: Answer, event: Event) -> Answer:
    word = wire.from_event(event.name, event.data)
    if isinstance(word, Draft):
        return replace(answer, pieces=(Piece(word.text),), masked=word.masked, steps=word.step)
    if isinstance(word, Suggestion):
        steps, tokens = word.timings.forward_passes, word.timings.filled_tokens
        return Answer((Piece(word.text),), 0, steps, tokens, word.score_nats, done=True)
    return answer


def _read(event: Event) -> Json:
    """The JSON object of an event. Raises ServerError if it tells of a failure."""
    found: object = json.loads(event.data)
    if not isinstance(found, dict):
        raise TypeError(f"expected an object, found {event.data[:80]!r}")
    if "error" in found or event.name == "error":
        raise ServerError(message_of(event.data))
    return found


def message_of(body: str) -> str:
    """What an error's body says to people, in one line; "" if nothing."""
    try:
        found = json.loads(body)
    except ValueError:
        return "" if body.lstrip().startswith("<") else _line(body)
    for key in ("error", "message", "detail"):
        if isinstance(found, dict) and key in found:
            found = found[key]
    return _line(found if isinstance(found, str) else json.dumps(found))


def _line(text: str) -> str:
    return " ".join(text.split())[:200].rstrip(".")


def _tokens(found: list[Json]) -> list[Piece]:
    """Tokens as chats and llama.cpp rate them."""
    return [
        Piece(
            token["token"],
            token["logprob"],
            tuple((other["token"], other["logprob"]) for other in token["top_logprobs"]),
        )
        for token in found
    ]


def _choice_logprobs(found: Json) -> list[Piece]:
    """Tokens as legacy completions rate them; llama.cpp does as in a chat."""
    if content := found.get("content"):
        return _tokens(content)
    tops: list[Json | None] = found.get("top_logprobs") or []
    tokens, nats = found.get("tokens") or [], found.get("token_logprobs") or []
    others = [tuple((top or {}).items()) for top in tops] or [()] * len(tokens)
    return [Piece(*each) for each in zip(tokens, nats, others, strict=False)]


def _rated(text: str, tokens: list[Piece]) -> list[Piece]:
    """The text as rated tokens, where these make it up; else in one piece.

    The last token is cut where the text ends: a stop string in it is no text.
    """
    rated: list[Piece] = []
    rest = text
    for token in tokens:
        if not (rest.startswith(token.text) or token.text.startswith(rest)):
            break
        rated.append(replace(token, text=token.text[: len(rest)]))
        rest = rest[len(token.text) :]
        if not rest:
            return rated
    return [Piece(text)] if text else []


DIALECTS: dict[Kind, Dialect] = {
    "mercury": Dialect("/v1/fim/completions", _completions, _hear_completions),
    "llama.cpp": Dialect("/infill", _llama, _hear_llama),
    "vllm": Dialect("/v1/completions", _rated_completions, _hear_completions),
    "sglang": Dialect("/v1/completions", _sampled_completions, _hear_completions),
    "openai": Dialect("/v1/completions", _sampled_completions, _hear_completions),
    "sfumato": Dialect("/v1/infill", _own, _hear_own),
}
