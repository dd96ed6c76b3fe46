"""Bodies of requests, as far as they are read; a field more does no harm, and null is as absent.

Sources: Inception's public OpenAPI document (version 1.0.0), OpenAI's for the legacy completions,
llama.cpp's server README for `/infill`. Defaults are theirs unless a field says otherwise.
"""

import re
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from engine.endpoints.errors import ApiError
from engine.endpoints.task import MAX_CHOICES

Share = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
Count = Annotated[int, Meta(ge=1, le=8192)]
Choices = Annotated[int, Meta(ge=1, le=MAX_CHOICES)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Stops = str | Annotated[list[str], Meta(max_length=16)]
Language = Annotated[str, Meta(description="LSP identifier of the language; guessed if missing")]

Prompt = str | list[str | int | list[int]]
"""One text is served; the other forms that OpenAI takes are refused in one sentence."""

Body = TypeVar("Body", bound=Struct)


class StreamOptions(Struct):
    """How to stream."""

    include_usage: bool | None = None


class FimBody(Struct, kw_only=True):
    """A hole between `prompt` and `suffix`, as Mercury has it."""

    model: str
    prompt: str
    suffix: str = ""
    max_tokens: Count = 512
    top_p: Share = 1.0
    top_k: Annotated[int, Meta(ge=-1, le=1000)] = -1
    frequency_penalty: Penalty = 0.0
    presence_penalty: Penalty = 1.5
    repetition_penalty: Annotated[float, Meta(gt=0)] = 1.0
    stop: Stops = field(default_factory=lambda: ["\n\n", "\n \n"])
    stream: bool = False
    stream_options: StreamOptions | None = None
    language: Language = ""


class CompletionBody(Struct, kw_only=True):
    """A hole behind `prompt`, before `suffix`, as OpenAI's legacy completions have it.

    temperature is 0 where it is not given: the likeliest text, and none drawn.
    """

    model: str
    prompt: Prompt
    suffix: str = ""
    max_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)] = 16
    temperature: Temperature = 0.0
    top_p: Share = 1.0
    n: Choices = 1
    best_of: Choices = 1
    echo: bool = False
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    stop: Stops = field(default_factory=list[str])
    frequency_penalty: Penalty = 0.0
    presence_penalty: Penalty = 0.0
    logit_bias: dict[str, float] = field(default_factory=dict[str, float])
    seed: Seed | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: str = ""
    language: Language = ""


class Message(Struct):
    """One message of a chat. content is text, or parts of which those of type "text" are read."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """The text of all parts."""
        if isinstance(self.content, list):
            return "".join(str(part.get("text", "")) for part in self.content)
        return self.content or ""


class EditBody(Struct, kw_only=True):
    """A region of a file to rewrite, in one user message, as Mercury has it."""

    model: str
    messages: Annotated[list[Message], Meta(min_length=1)]
    max_tokens: Count = 1024
    temperature: Temperature = 0.2
    top_p: Share = 1.0
    presence_penalty: Penalty = 1.0
    stream: bool = False


class ChatBody(Struct, kw_only=True):
    """A chat whose last message holds code with a hole.

    model may be left out, as llama.vim and llama.vscode do. temperature is 0 where it is not given.
    diffusing: each chunk of a stream holds the whole answer so far, to be shown in the place of the
    one before.
    """

    model: str = ""
    messages: Annotated[list[Message], Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=1, le=50000)] = 16384
    max_completion_tokens: Annotated[int, Meta(ge=1, le=50000)] | None = None
    temperature: Temperature = 0.0
    top_p: Share = 1.0
    n: Choices = 1
    stop: Stops = field(default_factory=list[str])
    seed: Seed | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    diffusing: bool = False
    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class ExtraText(Struct):
    """Text of another file that goes with the hole's."""

    text: str
    filename: str = ""


class LlamaBody(Struct, kw_only=True):
    """A hole between `input_prefix` and `prompt` on one side and `input_suffix` on the other.

    n_predict         tokens at most; less than 0 for no limit; 0 fills nothing, clients warm a
                      cache so
    n_indent          a line with less indentation ends the fill
    t_max_prompt_ms   with t_max_predict_ms, the time for the whole request; 0 or less for ours
    response_fields   only these fields are sent; `a/b` is b in a, sent under the name `a/b`
    """

    input_prefix: str = ""
    input_suffix: str = ""
    input_extra: list[ExtraText] = field(default_factory=list[ExtraText])
    prompt: str = ""
    n_predict: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)] = -1
    n_cmpl: Choices = 1
    n_indent: Annotated[int, Meta(ge=0, le=1000)] = 0
    stop: Stops = field(default_factory=list[str])
    temperature: Temperature = 0.0
    seed: Seed = -1
    stream: bool = False
    t_max_prompt_ms: float = 0.0
    t_max_predict_ms: float = 0.0
    response_fields: list[str] = field(default_factory=list[str])
    id_slot: int = -1
    model: str = ""
    language: Language = ""


def read(body: bytes, kind: type[Body]) -> Body:
    """Read a body. Raises ApiError with one sentence on anything that is not one."""
    try:
        found = msgspec.json.decode(body)
        if not isinstance(found, dict):
            raise ApiError("The body must be a JSON object.")
        return msgspec.convert({k: _whole(v) for k, v in found.items() if v is not None}, kind)
    except msgspec.ValidationError as error:
        at = re.search(r"`\$\.(\w+)", str(error)) or re.search(r"field `(\w+)`", str(error))
        raise ApiError(f"{error}.", param=at and at[1]) from error
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise ApiError(f"The body is not JSON: {error}.") from error


def _whole(value: object) -> object:
    """A number without a fraction as an integer, which it is in JSON however it is written."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def stops(stop: Stops) -> tuple[str, ...]:
    """Stop strings as a tuple; an empty one stops nothing."""
    return tuple(filter(None, [stop] if isinstance(stop, str) else stop))
