"""The engine's words as JSON, and the event stream they travel in.

Bytes of text are JSON strings, so a request can be written by hand:

    {"text": "x = \\n", "hole": {"start": 4, "end": 4}, "language": "python"}

Offsets still count UTF-8 bytes. An answer is a stream of server-sent events: `draft`, `draft`, ...,
then `suggestion`, or `error` in its stead.
"""

import json
from collections.abc import AsyncIterator
from typing import TypeVar

import cattrs

from engine.errors import (
    CheckpointError,
    ConstraintError,
    DeviceError,
    EndpointError,
    EngineBusy,
    EngineError,
    RequestTooLong,
)
from engine.types import (
    Draft,
    EngineInfo,
    InfillRequest,
    Suggestion,
    Survey,
    SurveyRequest,
    WorkspaceChange,
)

Word = TypeVar("Word")

CLIENT_HEADER = "x-sfumato-client"
"""Names the client of a request; the engine is fair between clients."""

_EVENTS: dict[str, type[Draft | Suggestion]] = {
    "draft": Draft,
    "suggestion": Suggestion,
}
_ERRORS: dict[str, type[EngineError]] = {
    error.__name__: error
    for error in (
        CheckpointError,
        ConstraintError,
        DeviceError,
        EndpointError,
        EngineBusy,
        RequestTooLong,
    )
}
_MALFORMED = (
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    cattrs.ForbiddenExtraKeysError,
)


def _bytes_from_json(value: object, _: type[bytes]) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"text must be a string, got {type(value).__name__}")
    return value.encode()


def _bytes_to_json(value: bytes) -> str:
    return value.decode()


_converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=False)
_converter.register_structure_hook(bytes, _bytes_from_json)
_converter.register_unstructure_hook(bytes, _bytes_to_json)


def to_json(
    word: (
        InfillRequest | EngineInfo | Draft | Suggestion | SurveyRequest | Survey | WorkspaceChange
    ),
) -> str:
    """Write one word on a single line of ASCII.

    ASCII, because readers of an event stream may end a line at U+2028 or U+0085 too.
    Raises UnicodeDecodeError on a text that is not UTF-8: a caller's bug, never the user's text.
    """
    return json.dumps(_converter.unstructure(word))


def request_from_json(body: bytes) -> InfillRequest:
    """Read a request. Raises ValueError with one sentence on anything that is not one."""
    return _from_json(body, InfillRequest)


def info_from_json(body: bytes) -> EngineInfo:
    """Read a handshake. Raises ValueError with one sentence on anything that is not one."""
    return _from_json(body, EngineInfo)


def survey_request_from_json(body: bytes) -> SurveyRequest:
    """Read a request to look through a text. Raises ValueError as `request_from_json` does."""
    return _from_json(body, SurveyRequest)


def workspace_change_from_json(body: bytes) -> WorkspaceChange:
    """Read what is new in a workspace. Raises ValueError as `request_from_json` does."""
    return _from_json(body, WorkspaceChange)


def survey_from_json(body: bytes) -> Survey:
    """Read what was found. Raises ValueError as `request_from_json` does."""
    return _from_json(body, Survey)


def _from_json(body: bytes | str, kind: type[Word]) -> Word:
    try:
        return _converter.structure(json.loads(body), kind)
    except _MALFORMED as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"This is not a valid {kind.__name__} ({reason}).") from error


def to_event(outcome: Draft | Suggestion | EngineError) -> str:
    """Write one server-sent event."""
    if isinstance(outcome, EngineError):
        data = json.dumps({"kind": type(outcome).__name__, "message": str(outcome)})
        return f"event: error\ndata: {data}\n\n"
    return f"event: {type(outcome).__name__.lower()}\ndata: {to_json(outcome)}\n\n"


async def from_events(lines: AsyncIterator[str]) -> AsyncIterator[Draft | Suggestion]:
    """Read the events of one answer, from lines without their ends.

    Raises the EngineError that the other side raised; ValueError on a word it cannot read.
    """
    name = ""
    async for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data" and (word := from_event(name, value)) is not None:
            yield word


def from_event(name: str, data: str) -> Draft | Suggestion | None:
    """Read one event by its name; None for one that is no word of ours. Raises as `from_events`."""
    if name == "error":
        error: dict[str, str] = json.loads(data)
        raise _ERRORS.get(error["kind"], EngineError)(error["message"])
    return _from_json(data, _EVENTS[name]) if name in _EVENTS else None
