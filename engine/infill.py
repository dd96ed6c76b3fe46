"""The engine: one request in, drafts out, one suggestion at the end.

text around the hole -> the model's tokens -> a look -> lengths -> canvas -> drafts -> gate
"""

import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch

from engine import __version__, families
from engine.batch import Batch
from engine.canvas import Canvas
from engine.constraints import ConstrainedGate, check
from engine.device import place
from engine.errors import RequestTooLong
from engine.families import Model, Reading
from engine.joints import Joints
from engine.lookup import look_up
from engine.overlap import Surroundings
from engine.redraft import Redraft
from engine.sampler import Limits, Look, Resize, denoise, judge
from engine.schedule import Length, Rule, chance_nats, likely_lengths, without_doubtful_nothing
from engine.settle import Fill, Settled, Settler
from engine.tokenizer import MASK
from engine.types import (
    MASK_GLYPH,
    Alternative,
    Draft,
    EngineInfo,
    InfillRequest,
    Suggestion,
    Timings,
    WorkspaceChange,
)
from engine.workspace import Workspaces
from grammars import Gate, language_for

Outcome = TypeVar("Outcome")

MAX_TEXT_BYTES = 16 * 2**20

_AT_ONCE = 8
"""Requests that an accelerator takes together. A processor takes one after the other: a pass over
eight saves a third of eight passes, but all eight are late (`tests/bench/LOG.md`)."""
_ROOM = 4
"""Slots left open on a side of a text that must appear."""
_UNHURRIED = 4
"""Passes at least for several suggestions, which nobody asks for at every key. In 400 holes of 17
projects as many were right as in two, but the best of three was to 64.0 % what had been there, and
not to 62.3, for 7 ms (2026-11-27)."""
_EVEN_ODDS = 0.0
"""Log-odds of a guess that is right as often as not."""
_SYNTAX_PART = 0.15
"""Share of the budget kept for the gate."""


@dataclass(slots=True)
class _Clock:
    """What a request has cost so far: time by phase, tokens, passes."""

    began_s: float = field(default_factory=time.monotonic)
    spent_ms: dict[str, float] = field(default_factory=lambda: defaultdict[str, float](float))
    prefill_tokens: int = 0
    context_tokens: int = 0
    passes: int = 0

    @contextmanager
    def time(self, phase: str) -> Generator[None]:
        """Time that is spent within goes to this phase; of phases within phases, to the inner."""
        began_s, before_ms = time.monotonic(), sum(self.spent_ms.values())
        yield
        inner_ms = sum(self.spent_ms.values()) - before_ms
        self.spent_ms[phase] += (time.monotonic() - began_s) * 1000 - inner_ms


class Engine:
    """One checkpoint on one device.

    NOTE: threads that run a request each have to be members of its batch.
    """

    def __init__(self, model: Model, rule: Rule | None = None) -> None:
        traits = model.traits
        self._model = model
        self.rule = rule or traits.rule
        self._device = traits.placement.device
        self.tokenizer = traits.tokenizer
        self._vocabulary = traits.vocabulary
        self.workspaces = Workspaces()
        shared = traits.together and self._device.type != "cpu"
        self.batch = Batch(_AT_ONCE if shared else 1, traits.together)
        self.info = EngineInfo(
            version=__version__,
            model=traits.name,
            checksum=traits.checksum,
            parameters=traits.parameters,
            device=str(traits.placement.device),
            dtype=str(traits.placement.dtype).removeprefix("torch."),
            threads=traits.placement.threads,
        )

    @classmethod
    def load(cls, folder: Path, device: str = "cpu", threads: int | None = None) -> "Engine":
        """Load a checkpoint of any family. Raises CheckpointError, DeviceError."""
        return cls(families.load(folder, place(device, threads)))

    def index(self, change: WorkspaceChange) -> int:
        """Take in files of a workspace; returns how many are kept. From any thread."""
        return self.workspaces.change(change)

    @torch.inference_mode()
    def infill(self, request: InfillRequest) -> Generator[Draft | Suggestion, None, None]:
        """Drafts, one per forward pass, then exactly one Suggestion. To cancel, stop pulling.

        Raises RequestTooLong for a text of more than MAX_TEXT_BYTES, ConstraintError for a
        constraint that no fill can meet.
        """
        if len(request.text) > MAX_TEXT_BYTES:
            raise RequestTooLong(
                f"the text has {len(request.text)} bytes, the engine takes {MAX_TEXT_BYTES}:"
                " send the part around the hole"
            )
        if request.constraint:
            language = language_for(request.language, request.text)
            check(request.constraint, language, request.max_lines)
        clock = _Clock()
        noise = torch.Generator(self._device).manual_seed(request.seed)
        settler = self._settler(request, clock, noise)
        if not request.draft or request.strength == 1:
            fills = yield from self._drawn(self._fill(request, clock, noise), clock, "denoise")
            settled = yield from self._drawn(settler.settle(fills), clock, "syntax")
        else:
            steps = self._redraft(request, settler, clock).steps()
            fills, settled = yield from self._drawn(steps, clock, "denoise")
        others = settler.others(fills, settled, request.alternatives - 1)
        yield self._suggestion(settled, others, clock)

    def _fill(
        self, request: InfillRequest, clock: _Clock, noise: torch.Generator
    ) -> Generator[Fill, None, list[Fill]]:
        """Fill the hole block after block, a pass after the other; the ways to end it, best first.

        A pass yields the row of the likeliest length as far as it has come.
        """
        head, tail = request.text[: request.hole.start], request.text[request.hole.end :]
        prefix, suffix = self._model.streams(request.language, head, tail)
        given = request.length_tokens is not None
        resize = None if given else self._model.traits.lengths.resize(request.max_lines)
        limits, rule = self._limits(request, clock, resize), self._rule(request)
        done: list[int] = []
        guesses = self._guesses(request)
        while True:
            reading = self._read(prefix, suffix, done, clock)
            look = reading.look
            canvas, lengths = self._open_canvas(reading, request, guesses, len(done), clock)
            for _ in denoise(look, canvas, rule, limits, noise, resize):
                yield Fill(done, canvas, look)
            judge(look, canvas, limits)
            fills = _ranked(done, canvas, lengths, look)
            if guesses:
                yield fills[0]
            full = fills[0].canvas.length(0) == canvas.tokens_NC.shape[1]
            done = fills[0].tokens
            if not full or self._complete(request, done, limits.deadline):
                return fills
            guesses = []

    def _limits(
        self, request: InfillRequest, clock: _Clock, resize: Resize | None = None
    ) -> Limits:
        forbidden_V = self._vocabulary.forbidden(request.max_lines).clone()
        if resize:
            forbidden_V &= ~resize.spelled_V
        deadline = clock.began_s + request.budget_ms / 1000 * (1 - _SYNTAX_PART)
        return Limits(forbidden_V, deadline=deadline)

    def _rule(self, request: InfillRequest) -> Rule:
        rule = self.rule
        if request.alternatives > 1:
            rule = replace(rule, passes=max(rule.passes, _UNHURRIED))
        if request.temperature is not None:
            rule = replace(rule, temperature=request.temperature)
        return rule

    def _room(self, request: InfillRequest, done: int = 0) -> int:
        """Tokens that a fill may still have when it has `done`."""
        most = self._model.traits.fill_tokens
        return min(most, request.max_tokens or most) - done

    def _complete(self, request: InfillRequest, tokens: list[int], deadline: float) -> bool:
        """Is a fill whose last block is full to end here?"""
        lines = self.tokenizer.decode(tokens).count(b"\n") + 1
        return (
            len(tokens) == request.length_tokens
            or len(tokens) >= self._room(request)
            or lines > request.max_lines
            or time.monotonic() >= deadline
        )

    def _read(
        self, prefix: list[int], suffix: list[int], done: list[int], clock: _Clock
    ) -> Reading:
        """The model bound to this context."""
        with clock.time("prefill"):
            reading = self._model.read(prefix, suffix, done)
        clock.prefill_tokens += reading.encoded
        clock.context_tokens = reading.context
        return reading._replace(look=partial(self.batch.look, reading.look))

    def _guesses(self, request: InfillRequest) -> list[tuple[list[int], float | None]]:
        """Fills looked up in text and workspace, as tokens, and the log-odds of their places.

        Where texts are demanded, rows that hold them.
        """
        if request.constraint and request.constraint.must:
            rows = self._demanded(request.constraint.must, request.length_tokens)
            return [(row, None) for row in rows]
        around = self.workspaces.around(request)
        found = look_up(request.text, request.hole, self.rule.guesses, around, request.max_lines)
        guesses = [(self.tokenizer.encode(guess.fill.encode()), guess.odds) for guess in found]
        given, room = request.length_tokens, self._room(request)
        return [
            (tokens, odds)
            for tokens, odds in guesses
            if len(tokens) <= min(room, self._longest_guess(odds)) and given in (None, len(tokens))
        ]

    def _longest_guess(self, odds: float) -> int:
        """Tokens. The largest canvas is for likely guesses, beside which there is no noise."""
        larger, *_, largest = self._model.traits.slots[-2:]
        return (largest if _is_likely(odds) else larger) - 1

    def _demanded(self, must: tuple[bytes, ...], length: int | None) -> list[list[int]]:
        """Rows that hold the demanded texts, with room between, before and behind them."""
        texts = [self.tokenizer.encode(text) for text in must]
        between = [token for text in texts for token in (MASK, *text)][1:]
        rooms = (0, _ROOM, 2 * _ROOM) if length is None else (max(length - len(between), 0),)
        around = [(before, room - before) for room in rooms for before in {0, room // 2, room}]
        rows = [[MASK] * before + between + [MASK] * behind for before, behind in sorted(around)]
        most = self._model.traits.slots[-1]
        return [row for row in rows if len(row) < most and length in (None, len(row))]

    def _open_canvas(
        self,
        reading: Reading,
        request: InfillRequest,
        guesses: list[tuple[list[int], float | None]],
        done: int,
        clock: _Clock,
    ) -> tuple[Canvas, list[Length]]:
        """Rows of noise in the likely lengths, then rows of guesses, and how likely each length is.

        The lengths are the model's word, in one pass, unless the request gives the length. Where
        one answer is wanted and a guess is likelier right than wrong, there are no rows of noise:
        without them 240 holes of 14 projects took 3.1 passes in the mean, not 4.0, one was answered
        otherwise and none worse (2026-11-26).
        """
        longest = max((len(guess) for guess, _ in guesses), default=0)
        given = 0 if request.length_tokens is None else request.length_tokens - done
        slots = fitting(self._model.traits.slots, max(longest + 1, given))
        if reading.slots is not None:
            slots = max(min(slots, reading.slots), longest + 1)
        guessed = [Length(len(guess), 0.0, odds) for guess, odds in guesses]
        if request.length_tokens is not None:
            lengths = [Length(min(slots, given), 0.0), *guessed]
        elif request.alternatives == 1 and guesses and _is_likely(guesses[0][1]):
            lengths = guessed
        else:
            most = min(slots, self._room(request, done))
            nats = self._model.traits.lengths.nats(reading.look, slots, most, request.max_lines)
            clock.passes += 1
            nats = nats if done else without_doubtful_nothing(nats)
            lengths = likely_lengths(nats, max(self.rule.lengths, request.alternatives))
            lengths += [replace(each, nats=float(nats[each.tokens])) for each in guessed]
        canvas = Canvas.blank([length.tokens for length in lengths], slots, self._device)
        for row, (guess, _) in enumerate(guesses, len(lengths) - len(guesses)):
            canvas.seed(row, guess)
        return canvas, lengths

    def _drawn(
        self, steps: Generator[Fill, None, Outcome], clock: _Clock, phase: str
    ) -> Generator[Draft, None, Outcome]:
        """A draft of each fill that comes by, one per pass; their outcome."""
        while True:
            with clock.time(phase):
                try:
                    fill = next(steps)
                except StopIteration as finished:
                    return finished.value
            clock.passes += 1
            yield self._draft(fill, clock.passes)

    def _draft(self, fill: Fill, step: int) -> Draft:
        """The first row of the canvas, as far as it has come, and what stands around it."""
        length = fill.canvas.length(0)
        masked: list[bool] = fill.canvas.masked_NC[0, :length].tolist()
        tokens: list[int] = fill.canvas.tokens_NC[0, :length].tolist()
        glyph = MASK_GLYPH.encode()
        runs = [
            glyph if hidden else self.tokenizer.token_bytes[token]
            for token, hidden in zip(tokens, masked, strict=True)
        ]
        decode = self.tokenizer.decode
        text = decode(fill.before) + b"".join(runs) + decode(fill.after)
        return Draft(text.decode(errors="replace"), step, sum(masked))

    def _settler(self, request: InfillRequest, clock: _Clock, noise: torch.Generator) -> Settler:
        language = language_for(request.language, request.text)
        hole, demand = request.hole, request.constraint
        deadline = clock.began_s + request.budget_ms / 1000
        gate = language and Gate(language, request.text, hole.start, hole.end, deadline)
        return Settler(
            gate=ConstrainedGate(gate, demand, deadline) if demand else gate,
            around=Surroundings.of(request.text, hole),
            joints=Joints(request.text, hole, request.max_lines),
            tokenizer=self.tokenizer,
            max_lines=request.max_lines,
            rule=self._rule(request),
            forbidden_V=self._vocabulary.forbidden(request.max_lines),
            noise=noise,
            deadline=deadline,
        )

    def _redraft(self, request: InfillRequest, settler: Settler, clock: _Clock) -> Redraft:
        """To go over the request's draft instead of filling the hole from noise."""
        head, tail = request.text[: request.hole.start], request.text[request.hole.end :]
        language, decode = request.language, self.tokenizer.decode

        def look_between(before: list[int], after: list[int]) -> Look:
            left, right = head + decode(before), decode(after) + tail
            return self._read(*self._model.streams(language, left, right), [], clock).look

        rule = self._rule(request)
        return Redraft(
            draft=self.tokenizer.encode(request.draft or b""),
            strength=request.strength,
            slots=self._model.traits.slots,
            look_between=look_between,
            settler=settler,
            rule=replace(rule, lengths=max(rule.lengths, request.alternatives)),
            limits=self._limits(request, clock),
            noise=settler.noise,
        )

    def _suggestion(self, settled: Settled, others: list[Settled], clock: _Clock) -> Suggestion:
        timings = Timings(
            prefill_ms=clock.spent_ms["prefill"],
            denoise_ms=clock.spent_ms["denoise"],
            syntax_ms=clock.spent_ms["syntax"],
            total_ms=(time.monotonic() - clock.began_s) * 1000,
            prefill_tokens=clock.prefill_tokens,
            context_tokens=clock.context_tokens,
            forward_passes=clock.passes,
            filled_tokens=len(self.tokenizer.encode(settled.text)),
        )
        alternatives = tuple(
            Alternative(
                one.text.decode(),
                one.score_nats,
                one.verdict,
                filled_tokens=len(self.tokenizer.encode(one.text)),
            )
            for one in others
        )
        return Suggestion(
            settled.text.decode(), settled.score_nats, settled.verdict, timings, alternatives
        )


def fitting(sizes: tuple[int, ...], count: int) -> int:
    """The smallest of the sizes, smallest first, that has room for so many; or the largest."""
    return next((size for size in sizes if count <= size), sizes[-1])


def _is_likely(odds: float | None) -> bool:
    """Is a guess right more often than not, as far as that is known?"""
    return odds is not None and odds > _EVEN_ODDS


def _ranked(done: list[int], canvas: Canvas, lengths: list[Length], look: Look) -> list[Fill]:
    """One fill per row, the one that is likeliest right first."""
    fills = [
        Fill(done, canvas.row(row), look, chance_nats(canvas.mean_nats(row), length))
        for row, length in enumerate(lengths)
    ]
    return sorted(fills, key=lambda fill: -fill.score_nats)
