"""What is answered: the fields that clients of these interfaces read. Sources: see `bodies.py`."""

from typing import Literal

from msgspec import Struct

from engine.endpoints.task import Finish, Outcome


class Usage(Struct):
    """Tokens of a request. cached_input_tokens of the prompt's were known from earlier ones."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int = 0


class TextChoice(Struct):
    """One completion; in a stream, a piece of it."""

    text: str
    index: int
    finish_reason: Finish | None
    logprobs: None = None


class TextCompletion(Struct, kw_only=True, omit_defaults=True):
    """Completions, or one chunk of a stream of them."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage | None = None


class AssistantMessage(Struct):
    """What the model says."""

    content: str
    role: Literal["assistant"] = "assistant"


class MessageChoice(Struct):
    """One answer to a chat."""

    index: int
    message: AssistantMessage
    finish_reason: Finish


class Delta(Struct, omit_defaults=True):
    """A piece of an answer; all of it so far where the request is `diffusing`."""

    content: str | None = None
    role: Literal["assistant"] | None = None


class ChunkChoice(Struct):
    """A piece of one answer to a chat."""

    index: int
    delta: Delta
    finish_reason: Finish | None = None


class ChatCompletion(Struct, kw_only=True):
    """Answers to a chat, or an edited region."""

    id: str
    object: Literal["chat.completion", "edit.completion"]
    created: int
    model: str
    choices: list[MessageChoice]
    usage: Usage


class ChatChunk(Struct, kw_only=True, omit_defaults=True):
    """One event of a streamed chat."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None


class LlamaTimings(Struct):
    """Where the time went, as llama.cpp counts it: tokens read, tokens written."""

    cache_n: int
    prompt_n: int
    prompt_ms: float
    prompt_per_token_ms: float
    prompt_per_second: float
    predicted_n: int
    predicted_ms: float
    predicted_per_token_ms: float
    predicted_per_second: float


class LlamaSettings(Struct):
    """What the fill was made with."""

    n_predict: int
    temperature: float
    seed: int
    stop: list[str]


class LlamaPiece(Struct):
    """A piece of a fill in a stream; the last event is a whole LlamaInfill without text."""

    index: int
    content: str
    stop: bool


class LlamaInfill(Struct, kw_only=True):
    """A fill as llama.cpp answers it."""

    index: int
    content: str
    stop: bool
    model: str
    tokens_predicted: int
    tokens_evaluated: int
    tokens_cached: int
    truncated: bool
    stop_type: Literal["eos", "limit", "word"]
    stopping_word: str
    has_new_line: bool
    id_slot: int
    generation_settings: LlamaSettings
    timings: LlamaTimings


class ErrorWords(Struct):
    """What went wrong, in a sentence and in words for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(Struct):
    """An error, whatever was asked."""

    error: ErrorWords


class Model(Struct, kw_only=True):
    """A model that is served."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["sfumato"] = "sfumato"


class Models(Struct, kw_only=True):
    """The models that are served: one."""

    object: Literal["list"] = "list"
    data: list[Model]


def usage(done: Outcome) -> Usage:
    """What an outcome cost, in tokens."""
    seen, filled = done.timings.context_tokens, done.completion_tokens
    return Usage(seen, filled, seen + filled, seen - min(seen, done.timings.prefill_tokens))
