"""The engine that asks a server: one request in, drafts as its answer grows, one suggestion."""

import math
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Self

from engine import __version__
from engine.batch import Batch
from engine.errors import EndpointError, EngineError
from engine.remote import trouble
from engine.remote.answer import Answer
from engine.remote.dialects import DIALECTS, Event, Question, ServerError
from engine.remote.endpoint import FILE, Endpoint
from engine.remote.keys import find_key
from engine.remote.line import Line, Reply
from engine.remote.settle import Judge, without_fence
from engine.remote.trouble import Patience, Trouble
from engine.types import (
    MASK_GLYPH,
    Draft,
    EngineInfo,
    InfillRequest,
    Span,
    Suggestion,
    Timings,
    WorkspaceChange,
)

UNRATED_NATS = math.log(0.5)
"""The chance that is taken for an answer's where its server says nothing of it: enough to be shown,
until suggestions have been typed against several times in a row."""

_PREFIX_PART = 0.75
_SYNTAX_PART = 0.15
"""Share of the budget kept for the gate."""
_TRAVEL_PART = 0.1
"""And for the way of an answer that comes at the end of its time."""
_TICK_S = 0.05
"""So often a draft comes even if nothing new does: between two, whoever pulls may stop."""
_BETWEEN_TOKENS = " \t\n()[]{},;.:\"'`=+-*/<>!&|"


_AT_ONCE = 4


class _Apart(Batch):
    """Requests with nothing in common: each waits for an answer of its own."""

    @contextmanager
    def member(self) -> Generator[None]:
        yield


class RemoteEngine:
    """One server. Built as `engine.infill.Engine` is, and stands in its place.

    Several requests may be under way.
    """

    def __init__(self, endpoint: Endpoint, key: str, checksum: str = "") -> None:
        self._endpoint = endpoint
        self._dialect = DIALECTS[endpoint.kind]
        self._key = key
        self._line = Line(endpoint, key)
        self._patience = Patience()
        self.batch: Batch = _Apart(_AT_ONCE)
        self.info = EngineInfo(
            version=__version__,
            model=endpoint.model or endpoint.kind,
            checksum=checksum,
            parameters=0,
            device=endpoint.host,
            dtype="",
            threads=0,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an endpoint and find its key. Raises CheckpointError, EngineError."""
        endpoint = Endpoint.load(folder)
        checksum = sha256((folder / FILE).read_bytes()).hexdigest()
        return cls(endpoint, find_key(endpoint.key), checksum)

    def index(self, _: WorkspaceChange) -> int:
        """Keep nothing: a server is asked about one text at a time."""
        return 0

    def infill(self, request: InfillRequest) -> Generator[Draft | Suggestion, None, None]:
        """Drafts as the answer grows, then exactly one Suggestion. To cancel, stop pulling.

        The time that is left when the server is done goes to the gate; what has come when the
        server is late is the answer, without its last, perhaps unfinished, word.

        Raises EndpointError, one sentence, where the server refuses or fails, and while it is left
        alone after that.
        """
        self._patience.check()
        began_s = time.monotonic()
        listen_until_s = began_s + request.budget_ms / 1000 * (1 - _SYNTAX_PART)
        judge = Judge.of(request, began_s + request.budget_ms / 1000)
        answer = yield from self._listen(self._question(request, began_s), listen_until_s)
        heard_s = time.monotonic()
        if not answer.pieces and not answer.done:
            raise EndpointError(
                f"{self._endpoint.host} has sent nothing within {request.budget_ms:.0f} ms;"
                " a greater deadline_ms gives it more time."
            )
        if not answer.done:
            answer = _without_last_word(answer)
        text, verdict = judge.settle(answer.pieces)
        score_nats = _score_nats(answer)
        now_s = time.monotonic()
        timings = Timings(
            prefill_ms=0.0,
            denoise_ms=(heard_s - began_s) * 1000,
            syntax_ms=(now_s - heard_s) * 1000,
            total_ms=(now_s - began_s) * 1000,
            prefill_tokens=0,
            context_tokens=0,
            forward_passes=answer.steps,
            filled_tokens=answer.tokens,
        )
        yield Suggestion(text.decode(), score_nats, verdict, timings)

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _question(self, request: InfillRequest, began_s: float) -> Question:
        """The request, with no more context than the endpoint takes, cut where lines end."""
        before, behind = request.text[: request.hole.start], request.text[request.hole.end :]
        longest = round(self._endpoint.context_bytes * _PREFIX_PART)
        prefix = _last_lines(before, longest).decode(errors="ignore")
        suffix = _first_lines(behind, self._endpoint.context_bytes - longest).decode(
            errors="ignore"
        )
        before, behind = prefix.encode(), suffix.encode()
        hole = request.text[request.hole.start : request.hole.end]
        its_ms = request.budget_ms * (1 - _SYNTAX_PART - _TRAVEL_PART)
        left_ms = max(0.0, its_ms - (time.monotonic() - began_s) * 1000)
        near = replace(
            request,
            text=before + hole + behind,
            hole=Span(len(before), len(before) + len(hole)),
            budget_ms=left_ms,
            workspace="",  # of this machine, and nobody's business there
            file="",
        )
        return Question(prefix, suffix, near)

    def _listen(self, question: Question, until_s: float) -> Generator[Draft, None, Answer]:
        """Drafts; returns the answer as far as it came before `until_s`, of `time.monotonic`.

        A request that has waited out its time is not passed on.
        """
        if time.monotonic() >= until_s:
            return Answer(done=True)
        reply = self._line.ask(self._dialect.path, self._dialect.body(self._endpoint, question))
        answer = Answer()
        try:
            while not (answer.done or _is_enough(answer.text, question.request.max_lines)):
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    break
                answer = self._hear(answer, reply, min(left_s, _TICK_S))
                yield _draft(answer, question.request.max_lines)
        finally:
            if answer.done:
                reply.let_end()
            else:
                reply.drop()
        if answer.pieces or answer.done:
            self._patience.forget()
        return answer

    def _hear(self, answer: Answer, reply: Reply, timeout_s: float) -> Answer:
        """The answer with what comes next, if something does in time."""
        try:
            event = reply.next(timeout_s)
        except TimeoutError:
            return answer
        if isinstance(event, Trouble):
            raise self._failed(event)
        if event is None:
            raise self._failed(Trouble(f"{self._endpoint.host} broke off its answer", passes=True))
        return self._understood(answer, event)

    def _understood(self, answer: Answer, event: Event) -> Answer:
        try:
            return self._dialect.hear(answer, event)
        except (ServerError, EngineError) as error:
            said = str(error).rstrip(".")
            raise self._failed(Trouble(f"{self._endpoint.host} failed ({said})")) from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise self._failed(trouble.of_nonsense(self._endpoint, error)) from error

    def _failed(self, met: Trouble) -> EndpointError:
        """An error to raise; the server is left alone for a while."""
        return self._patience.note(met.without(self._key))


def _last_lines(text: bytes, longest: int) -> bytes:
    """As many whole lines of the end as fit, or what fits of the last one."""
    if len(text) <= longest:
        return text
    end = text[len(text) - longest :]
    return end.partition(b"\n")[2] or end


def _first_lines(text: bytes, longest: int) -> bytes:
    """As many whole lines of the start as fit, or what fits of the first one."""
    if len(text) <= longest:
        return text
    start = text[:longest]
    return start.rpartition(b"\n")[0] or start


def _is_enough(text: str, max_lines: int) -> bool:
    """Are there more lines than are wanted?"""
    return without_fence(text).count("\n") >= max_lines and MASK_GLYPH not in text


def _draft(answer: Answer, max_lines: int) -> Draft:
    """The lines that are wanted, with one mask for all that is still to come."""
    text = "\n".join(answer.text.split("\n")[:max_lines])
    if answer.done or answer.masked:
        return Draft(text, answer.steps, answer.masked)
    return Draft(text + MASK_GLYPH, answer.steps, 1)


def _without_last_word(answer: Answer) -> Answer:
    """An answer that was cut in time, back to where a word ends; no draft with masks in it."""
    if answer.masked:
        return Answer()
    pieces = list(answer.pieces)
    while pieces:
        last = pieces.pop()
        kept = last.text.rstrip("".join(set(last.text) - set(_BETWEEN_TOKENS)))
        if kept:
            return replace(answer, pieces=(*pieces, replace(last, text=kept)))
    return Answer()


def _score_nats(answer: Answer) -> float:
    """The server's own estimate, or the likelihood of its tokens, or `UNRATED_NATS`."""
    if answer.score_nats is not None:
        return answer.score_nats
    nats = [piece.nats for piece in answer.pieces]
    rated = [each for each in nats if each is not None]
    return min(0.0, sum(rated)) if rated and len(rated) == len(nats) else UNRATED_NATS
