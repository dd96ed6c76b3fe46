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
from engine.lookup import Guess
from engine.overlap import Surroundings
from engine.redraft import Redraft
from engine.sampler import Limits, Look, Resize, denoise, judge
from engine.schedule import Length, Rule, chance_nats, likely_lengths, without_doubtful_nothing
from engine.seeds import Seed, room, seeds_for
from engine.settle import Fill, Settled, Settler
from engine.types import (
    MASK_GLYPH,
    Alternative,
    Draft,
    EngineInfo,
    Head,
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
_UNHURRIED = 4
"""Passes at least for several suggestions, which nobody asks for at every key. In 400 holes of 17
projects as many were right as in two, but the best of three was to 64.0 % what had been there, and
not to 62.3, for 7 ms (2026-11-27)."""
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
        settler, traits = self._settler(request, clock, noise), self._model.traits
        further = list[Guess]()
        if not request.draft or request.strength == 1:
            around = self.workspaces.around(request)
            seeds, further = seeds_for(request, traits, self.rule.guesses, around)
            steps = self._fill(request, seeds, clock, noise)
            fills = yield from self._drawn(steps, clock, "denoise")
            settled = yield from self._drawn(settler.settle(fills), clock, "syntax")
        else:
            steps = self._redraft(request, settler, clock).steps()
            fills, settled = yield from self._drawn(steps, clock, "denoise")
        others = settler.others(fills, settled, request.alternatives - 1)
        one = request.alternatives == 1
        found = settler.heads(fills, settled, further) if one else ()
        yield self._suggestion(settled, others, found, clock)

    def _fill(
        self, request: InfillRequest, seeds: list[Seed], clock: _Clock, noise: torch.Generator
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
        while True:
            reading = self._read(prefix, suffix, done, clock)
            look = reading.look
            canvas, lengths = self._open_canvas(reading, request, seeds, len(done), clock)
            for _ in denoise(look, canvas, rule, limits, noise, resize):
                yield Fill(done, canvas, look)
            judge(look, canvas, limits)
            fills = _ranked(done, canvas, lengths, look)
            if seeds:
                yield fills[0]
            full = fills[0].canvas.length(0) == canvas.tokens_NC.shape[1]
            done = fills[0].tokens
            if not full or self._complete(request, done, limits.deadline):
                return fills
            seeds = []

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

    def _complete(self, request: InfillRequest, tokens: list[int], deadline: float) -> bool:
        """Is a fill whose last block is full to end here?"""
        lines = self.tokenizer.decode(tokens).count(b"\n") + 1
        return (
            len(tokens) == request.length_tokens
            or len(tokens) >= room(request, self._model.traits)
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

    def _open_canvas(
        self,
        reading: Reading,
        request: InfillRequest,
        seeds: list[Seed],
        done: int,
        clock: _Clock,
    ) -> tuple[Canvas, list[Length]]:
        """Rows of noise in the likely lengths, then those that are seeded, and their lengths.

        The lengths are the model's word, in one pass, unless the request gives the length. Where
        one answer is wanted and a seed is likelier right than wrong, there are no rows of noise:
        without them 240 holes of 14 projects took 3.1 passes in the mean, not 4.0, one was answered
        otherwise and none worse (2026-11-26).
        """
        traits = self._model.traits
        longest = max((len(seed.tokens) for seed in seeds), default=0)
        given = 0 if request.length_tokens is None else request.length_tokens - done
        slots = fitting(traits.slots, max(longest + 1, given))
        if reading.slots is not None:
            slots = max(min(slots, reading.slots), longest + 1)
        seeded = [Length(len(seed.tokens), 0.0, seed.odds) for seed in seeds]
        if request.length_tokens is not None:
            lengths = [Length(min(slots, given), 0.0), *seeded]
        elif request.alternatives == 1 and seeds and seeds[0].is_likely:
            lengths = seeded
        else:
            most = min(slots, room(request, traits) - done)
            nats = traits.lengths.nats(reading.look, slots, most, request.max_lines)
            clock.passes += 1
            nats = nats if done else without_doubtful_nothing(nats)
            lengths = likely_lengths(nats, max(self.rule.lengths, request.alternatives))
            lengths += [replace(each, nats=float(nats[each.tokens])) for each in seeded]
        canvas = Canvas.blank([length.tokens for length in lengths], slots, self._device)
        for row, seed in enumerate(seeds, len(lengths) - len(seeds)):
            canvas.seed(row, seed.tokens)
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

    def _suggestion(
        self, settled: Settled, others: list[Settled], found: tuple[Head, ...], clock: _Clock
    ) -> Suggestion:
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
            settled.text.decode(), settled.score_nats, settled.verdict, timings, alternatives, found
        )


def fitting(sizes: tuple[int, ...], count: int) -> int:
    """The smallest of the sizes, smallest first, that has room for so many; or the largest."""
    return next((size for size in sizes if count <= size), sizes[-1])


def _ranked(done: list[int], canvas: Canvas, lengths: list[Length], look: Look) -> list[Fill]:
    """One fill per row, the one that is likeliest right first."""
    fills = [
        Fill(done, canvas.row(row), look, chance_nats(canvas.mean_nats(row), length))
        for row, length in enumerate(lengths)
    ]
    return sorted(fills, key=lambda fill: -fill.score_nats)
