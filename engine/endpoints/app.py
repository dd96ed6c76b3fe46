"""Routes: a body is read, the engine asked, the answer written in the dialect of the path."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from engine.desk import Asked
from engine.endpoints.answers import Model, Models
from engine.endpoints.bodies import read
from engine.endpoints.chat import Chat, Edit
from engine.endpoints.dialect import Dialect, Stamp
from engine.endpoints.errors import ApiError, answer_error
from engine.endpoints.llama import Infill
from engine.endpoints.metrics import Metrics
from engine.endpoints.openapi import document
from engine.endpoints.task import Outcome, Task, outcome
from engine.endpoints.text import Completions, Fim
from engine.errors import ConstraintError, EngineBusy, EngineError, RequestTooLong
from engine.service import EventStream, own_routes
from engine.types import Draft, EngineInfo, Suggestion, Timings

DIALECTS: tuple[Dialect[Any], ...] = (Fim(), Edit(), Completions(), Chat(), Infill())

Got = TypeVar("Got")

NOTHING = Timings(0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0)


def build_app(desk: Asked, metrics: Metrics) -> Starlette:
    """Everything that is served: our own protocol, the dialects, and what there is to know."""
    model = desk.info
    whole = document(DIALECTS, model)

    async def models(_: Request) -> Response:
        return _json(_models(model))

    async def openapi(_: Request) -> Response:
        return _json(whole)

    async def measured(_: Request) -> Response:
        return metrics.response()

    completions = [dialect.path for dialect in DIALECTS if dialect.path.endswith("/completions")]
    lists = ("/v1/models", *(f"{path}/models" for path in completions))
    return Starlette(
        routes=[
            *own_routes(desk),
            *(Route(path, models) for path in lists),
            Route("/openapi.json", openapi),
            Route("/metrics", measured),
            *(
                Route(dialect.path, _handler(dialect, desk, metrics), methods=["POST"])
                for dialect in DIALECTS
            ),
        ],
        exception_handlers={
            ApiError: answer_error,
            HTTPException: _answer_http_error,
            ClientDisconnect: _answer_nobody,
            Exception: _answer_bug,
        },
    )


def _handler(
    dialect: Dialect[Any], desk: Asked, metrics: Metrics
) -> Callable[[Request], Awaitable[Response]]:
    """The route of one dialect."""

    async def handle(request: Request) -> Response:
        kind = request.headers.get("content-type", "")
        if kind.partition(";")[0].strip().lower() != "application/json":
            raise ApiError("Content-Type must be application/json.", 415)
        body = read(await request.body(), dialect.body)
        task = await asyncio.to_thread(dialect.task, body)  # it may parse, to tell the language
        stamp = Stamp(desk.info.model)
        if getattr(body, "stream", False):
            words = _words(task, desk, metrics)
            # what fails at once has its status
            first = await _attended(request, anext(words, None))
            return EventStream(_events(dialect, body, task, stamp, first, words))
        done = await _attended(request, _done(task, desk, metrics))
        return _json(dialect.answered(body, done, stamp))

    return handle


async def _done(task: Task, desk: Asked, metrics: Metrics) -> Outcome:
    async with aclosing(_words(task, desk, metrics)) as words:
        async for word in words:
            if isinstance(word, Suggestion):
                return outcome(task, word)
    raise ApiError("The engine gave no answer; ask again.", 500, "server_error")


async def _words(
    task: Task, desk: Asked, metrics: Metrics
) -> AsyncGenerator[Draft | Suggestion, None]:
    """What the engine says to a task; nothing is asked where no token is wanted."""
    if task.max_tokens == 0:
        yield Suggestion("", 0.0, "unchecked", NOTHING)
        return
    began_s = time.monotonic()
    try:
        async with aclosing(desk.words(task.request())) as words:
            async for word in words:
                if isinstance(word, Suggestion):
                    metrics.count(word, time.monotonic() - began_s)
                yield word
    except RequestTooLong as error:
        raise ApiError(str(error), code="context_length_exceeded") from error
    except ConstraintError as error:
        raise ApiError(str(error)) from error
    except EngineBusy as error:
        code = "engine_overloaded"
        raise ApiError(str(error), 503, "server_error", code=code, retry_after_s=1) from error
    except EngineError as error:
        raise ApiError(str(error), 500, "server_error", code="server_error") from error


async def _events(
    dialect: Dialect[Any],
    body: Struct,
    task: Task,
    stamp: Stamp,
    word: Draft | Suggestion | None,
    rest: AsyncGenerator[Draft | Suggestion, None],
) -> AsyncGenerator[str, None]:
    """A stream's events, from the first word on and the rest of them.

    What fails under way is its last one: the status is sent by then.
    """
    try:
        async with aclosing(rest):
            while word is not None:
                if isinstance(word, Suggestion):
                    for chunk in dialect.streamed(body, outcome(task, word), stamp):
                        yield _event(chunk)
                elif sketch := dialect.sketched(body, word, stamp):
                    yield _event(sketch)
                word = await anext(rest, None)
    except ApiError as error:
        yield _event(error.body())
    if dialect.final:
        yield f"data: {dialect.final}\n\n"


async def _attended(request: Request, work: Awaitable[Got]) -> Got:
    """Wait for the work as long as the client does; when it vanishes, the work is cancelled."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_departure(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ApiError("The client has gone.", 499)
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _departure(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _models(info: EngineInfo) -> Models:
    return Models(data=[Model(id=info.model, created=0)])


def _text(answer: object) -> str:
    """JSON on one line of ASCII and without blanks: llama.vim looks for `"content":"` in it."""
    return json.dumps(msgspec.to_builtins(answer), separators=(",", ":"))


def _json(answer: object) -> Response:
    return Response(_text(answer), media_type="application/json")


def _event(answer: object) -> str:
    return f"data: {_text(answer)}\n\n"


async def _answer_http_error(request: Request, error: Exception) -> Response:
    """Starlette's own: no such path, no such method."""
    assert isinstance(error, HTTPException)
    path, method = request.url.path, request.method
    sentence = {404: f"There is no {path} here.", 405: f"{path} does not take {method}."}
    refusal = ApiError(sentence.get(error.status_code, error.detail), error.status_code)
    response = refusal.response(path)
    response.headers.update(error.headers or {})
    return response


async def _answer_nobody(_: Request, __: Exception) -> Response:
    return Response(status_code=499)  # the client went before its body had come


async def _answer_bug(request: Request, _: Exception) -> Response:
    sentence = "The server had an error while processing the request."
    return ApiError(sentence, 500, "server_error", code="server_error").response(request.url.path)
