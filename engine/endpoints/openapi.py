"""The OpenAPI document of what is served, made from the bodies and answers themselves."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from engine import __version__
from engine.endpoints.answers import ErrorAnswer, Models
from engine.endpoints.dialect import Dialect
from engine.types import EngineInfo

_REF = "#/components/schemas/{name}"

_REFUSALS = {
    "400": "The body asks for something that cannot be had",
    "401": "No key, or none that is known here",
    "413": "The body is too large",
    "415": "The body is not JSON",
    "429": "Too many requests; Retry-After says when it is worth asking again",
    "500": "The engine failed",
    "503": "Too many requests wait already; Retry-After as above",
}


def document(dialects: Sequence[Dialect[Any]], info: EngineInfo) -> dict[str, Any]:
    """OpenAPI 3.1 for the dialects and the list of models."""
    kinds = [kind for dialect in dialects for kind in _kinds(dialect)]
    _, schemas = msgspec.json.schema_components([*kinds, Models, ErrorAnswer], ref_template=_REF)
    for name in {dialect.body.__name__ for dialect in dialects}:
        _let_be_null(schemas[name])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sfumato",
            "version": __version__,
            "description": f"Fills holes in code with {info.model}.",
        },
        "security": [{}, {"key": []}],
        "paths": {
            **{dialect.path: {"post": _operation(dialect)} for dialect in dialects},
            "/v1/models": {"get": _lookup("models", "The model that is served", Models)},
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _kinds(dialect: Dialect[Any]) -> Iterable[type[Struct]]:
    return (dialect.body, dialect.answer, *((dialect.chunk,) if dialect.chunk else ()))


def _let_be_null(schema: dict[str, Any]) -> None:
    """Fields that may be absent may be null, which says the same."""
    for name, field in schema["properties"].items():
        if name not in schema.get("required", ()):
            schema["properties"][name] = {"anyOf": [field, {"type": "null"}]}


def _operation(dialect: Dialect[Any]) -> dict[str, Any]:
    answers = {"application/json": _answer(dialect)}
    if dialect.chunk:
        answers["text/event-stream"] = {"schema": _event(dialect, dialect.chunk)}
    return {
        "operationId": dialect.path.strip("/").replace("/", "_"),
        "summary": dialect.summary,
        "requestBody": {"required": True, "content": {"application/json": _schema(dialect.body)}},
        "responses": {"200": {"description": dialect.summary, "content": answers}, **_refusals()},
    }


def _answer(dialect: Dialect[Any]) -> dict[str, Any]:
    if dialect.path != "/infill":
        return _schema(dialect.answer)
    # several fills come as a list, and of each only the fields that were asked for
    return {"schema": {"type": ["object", "array"]}}


def _event(dialect: Dialect[Any], chunk: type[Struct]) -> dict[str, Any]:
    """One event of a stream: a chunk, what went wrong under way, or the last line."""
    data = [_written(chunk), _written(ErrorAnswer)]
    data += [{"const": dialect.final}] if dialect.final else []
    return {"type": "object", "required": ["data"], "properties": {"data": {"anyOf": data}}}


def _written(kind: type[Struct]) -> dict[str, Any]:
    media = {"contentMediaType": "application/json", "contentSchema": _schema(kind)["schema"]}
    return {"type": "string", **media}


def _lookup(name: str, summary: str, kind: type[Struct]) -> dict[str, Any]:
    answer = {"description": summary, "content": {"application/json": _schema(kind)}}
    return {"operationId": name, "summary": summary, "responses": {"200": answer, **_refusals()}}


def _schema(kind: type[Struct]) -> dict[str, Any]:
    return {"schema": {"$ref": _REF.format(name=kind.__name__)}}


def _refusals() -> dict[str, Any]:
    content = {"application/json": _schema(ErrorAnswer)}
    return {
        status: {"description": words, "content": content} for status, words in _REFUSALS.items()
    }
