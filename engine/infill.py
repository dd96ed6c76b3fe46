"""The engine: one request in, drafts out, one suggestion at the end.

text around the hole -> two token streams -> cached keys -> lengths -> canvas -> drafts -> gate
"""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from engine import __version__, checkpoint
from engine.canvas import Canvas
from engine.constraints import ConstrainedGate, check
from engine.device import Placement, place
from engine.errors import RequestTooLong
from engine.kv_cache import PREFIX, SUFFIX, ContextCache
from engine.look import bound
from engine.lookup import look_up
from engine.overlap import Surroundings
from engine.redraft import Redraft
from engine.sampler import Limits, Look, denoise, judge
from engine.schedule import Length, Rule, chance_nats, length_nats, likely_lengths
from engine.segments import prefix_tokens, suffix_tokens
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
)
from engine.vocabulary import Vocabulary
from grammars import Gate, language_for

MAX_TEXT_BYTES = 16 * 2**20

_BLOCK, _LONG_BLOCK = 16, 32
"""Canvas slots, and those of a canvas that has to hold a long guess. A hole that is longer than its
canvas is filled block after block."""
_ROOM = 4
"""Slots left open on a side of a text that must appear."""
_MAX_TOKENS = 96
_SUFFIX_PART = 4
"""One part in so many of the context a model was trained on goes to the suffix."""
_SYNTAX_PART = 0.15
"""Share of the budget kept for the gate."""


@dataclass(slots=True)
class _Clock:
    """What a request has cost so far: seconds, tokens, passes."""

    began_s: float = field(default_factory=time.monotonic)
    prefill_s: float = 0.0
    denoise_s: float = 0.0
    syntax_s: float = 0.0
    prefill_tokens: int = 0
    context_tokens: int = 0
    passes: int = 0


class Engine:
    """One checkpoint on one device.

    NOTE: not thread-safe, and one request at a time: the cache's views belong to the latest one.
    """

    def __init__(self, found: checkpoint.Checkpoint, placement: Placement, rule: Rule) -> None:
        self.rule = rule
        self._device = placement.device
        self._tokenizer = found.tokenizer
        self._model = found.model.to(placement.device, placement.dtype)
        self._suffix_limit = found.context_tokens // _SUFFIX_PART
        self._fill_limit = min(_MAX_TOKENS, found.context_tokens // 4)
        self._prefix_limit = found.context_tokens - self._suffix_limit - self._fill_limit
        self._cache = ContextCache(self._model, found.context_tokens)
        size = self._model.config.vocabulary
        self._vocabulary = Vocabulary(found.tokenizer, size, placement.device)
        self.info = EngineInfo(
            version=__version__,
            model=found.name,
            checksum=found.checksum,
            parameters=sum(p.numel() for p in self._model.parameters()),
            device=str(placement.device),
            dtype=str(placement.dtype).removeprefix("torch."),
            threads=placement.threads,
        )

    @classmethod
    def load(cls, folder: Path, device: str = "cpu", threads: int | None = None) -> "Engine":
        """Verify and load a checkpoint. Raises CheckpointError, DeviceError."""
        placement = place(device, threads)
        return cls(checkpoint.load(folder), placement, Rule())

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
            check(request.constraint, language_for(request.language), request.max_lines)
        clock = _Clock()
        noise = torch.Generator(self._device).manual_seed(request.seed)
        settler = self._settler(request, clock, noise)
        if not request.draft or request.strength == 1:
            fills = yield from self._fill(request, clock, noise)
            settled = yield from self._settle(settler, fills, clock)
        else:
            fills, settled = yield from self._redraft(request, settler, clock)
        others = settler.others(fills, settled, request.alternatives - 1)
        yield self._suggestion(settled, others, clock)

    def _fill(
        self, request: InfillRequest, clock: _Clock, noise: torch.Generator
    ) -> Generator[Draft, None, list[Fill]]:
        """Fill the hole block after block; returns the ways to end it, best first."""
        text, hole, language = request.text, request.hole, request.language
        prefix = prefix_tokens(self._tokenizer, language, text, hole.start, self._prefix_limit)
        suffix = suffix_tokens(self._tokenizer, language, text, hole.end, self._suffix_limit)
        limits, rule = self._limits(request, clock), self._rule(request)
        done: list[int] = []
        guesses = self._guesses(request)
        while True:
            look = self._look(prefix + done, suffix, clock)
            began = time.monotonic()
            canvas, lengths = self._open_canvas(look, request, guesses, len(done), clock)
            for _ in denoise(look, canvas, rule, limits, noise):
                clock.passes += 1
                clock.denoise_s += time.monotonic() - began
                yield self._draft(done, canvas, clock)
                began = time.monotonic()
            judge(look, canvas, limits)
            clock.passes += 1
            clock.denoise_s += time.monotonic() - began
            fills = _ranked(done, canvas, lengths, look)
            yield self._draft(done, fills[0].canvas, clock)
            full = fills[0].canvas.length(0) == canvas.tokens_NC.shape[1]
            done = fills[0].tokens
            if not full or self._complete(request, done, limits.deadline):
                return fills
            guesses = []

    def _limits(self, request: InfillRequest, clock: _Clock) -> Limits:
        return Limits(
            self._vocabulary.forbidden(request.max_lines),
            deadline=clock.began_s + request.budget_ms / 1000 * (1 - _SYNTAX_PART),
        )

    def _rule(self, request: InfillRequest) -> Rule:
        if request.temperature is None:
            return self.rule
        return replace(self.rule, temperature=request.temperature)

    def _room(self, request: InfillRequest, done: int = 0) -> int:
        """Tokens that a fill may still have when it has `done`."""
        return min(self._fill_limit, request.max_tokens or self._fill_limit) - done

    def _complete(self, request: InfillRequest, tokens: list[int], deadline: float) -> bool:
        """Is a fill whose last block is full to end here?"""
        lines = self._tokenizer.decode(tokens).count(b"\n") + 1
        return (
            len(tokens) == request.length_tokens
            or len(tokens) >= self._room(request)
            or lines > request.max_lines
            or time.monotonic() >= deadline
        )

    def _look(self, prefix: list[int], suffix: list[int], clock: _Clock) -> Look:
        """The model bound to this context, its streams read through the cache."""
        began = time.monotonic()
        left, right = self._cache.read(prefix, PREFIX), self._cache.read(suffix, SUFFIX)
        clock.prefill_s += time.monotonic() - began
        clock.prefill_tokens += left.encoded + right.encoded
        clock.context_tokens = left.length + right.length
        return bound(self._model, left, right, prefix[-1])

    def _guesses(self, request: InfillRequest) -> list[tuple[list[int], float]]:
        """Fills looked up in the text, as tokens, and how alike their surroundings are.

        Only for holes within a line: lines repeat. Where texts are demanded, rows that hold them.
        """
        if request.constraint and request.constraint.must:
            rows = self._demanded(request.constraint.must, request.length_tokens)
            return [(row, 0.0) for row in rows]
        if request.max_lines > 1:
            return []
        found = look_up(request.text, request.hole, self.rule.guesses)
        guesses = [(self._tokenizer.encode(guess.fill.encode()), guess.alike) for guess in found]
        given, room = request.length_tokens, min(_LONG_BLOCK - 1, self._room(request))
        return [pair for pair in guesses if len(pair[0]) <= room and given in (None, len(pair[0]))]

    def _demanded(self, must: tuple[bytes, ...], length: int | None) -> list[list[int]]:
        """Rows that hold the demanded texts, with room between, before and behind them."""
        texts = [self._tokenizer.encode(text) for text in must]
        between = [token for text in texts for token in (MASK, *text)][1:]
        rooms = (0, _ROOM, 2 * _ROOM) if length is None else (max(length - len(between), 0),)
        around = [(before, room - before) for room in rooms for before in {0, room // 2, room}]
        rows = [[MASK] * before + between + [MASK] * behind for before, behind in sorted(around)]
        return [row for row in rows if len(row) < _LONG_BLOCK and length in (None, len(row))]

    def _open_canvas(
        self,
        look: Look,
        request: InfillRequest,
        guesses: list[tuple[list[int], float]],
        done: int,
        clock: _Clock,
    ) -> tuple[Canvas, list[Length]]:
        """Rows of noise in the likely lengths, then rows of guesses, and how likely each length is.

        The lengths come from one pass over a blank canvas, unless the request gives the length.
        """
        slots = _LONG_BLOCK if any(len(guess) >= _BLOCK for guess, _ in guesses) else _BLOCK
        if request.length_tokens is not None:
            given = min(slots, request.length_tokens - done)
            lengths = [Length(given, 0.0), *(Length(given, 0.0, alike) for _, alike in guesses)]
        else:
            blank_NC = torch.full((1, slots), MASK, device=self._device)
            seen_CV = look(blank_NC, torch.ones_like(blank_NC, dtype=torch.bool))
            ends = self._vocabulary.ends(seen_CV, request.max_lines)
            clock.passes += 1
            nats = length_nats(*ends)[: self._room(request, done) + 1]
            lengths = likely_lengths(nats, max(self.rule.lengths, request.alternatives))
            lengths += [
                Length(len(guess), float(nats[len(guess)]), alike) for guess, alike in guesses
            ]
        canvas = Canvas.blank([length.tokens for length in lengths], slots, self._device)
        for row, (guess, _) in enumerate(guesses, len(lengths) - len(guesses)):
            canvas.seed(row, guess)
        return canvas, lengths

    def _draft(
        self, done: list[int], canvas: Canvas, clock: _Clock, rest: Sequence[int] = ()
    ) -> Draft:
        """The first row, as far as it has come; that is the likeliest length, or the best fill."""
        length = canvas.length(0)
        masked: list[bool] = canvas.masked_NC[0, :length].tolist()
        tokens: list[int] = canvas.tokens_NC[0, :length].tolist()
        glyph = MASK_GLYPH.encode()
        runs = [
            glyph if hidden else self._tokenizer.token_bytes[token]
            for token, hidden in zip(tokens, masked, strict=True)
        ]
        text = self._tokenizer.decode(done) + b"".join(runs) + self._tokenizer.decode(rest)
        return Draft(text.decode(errors="replace"), clock.passes, sum(masked))

    def _settler(self, request: InfillRequest, clock: _Clock, noise: torch.Generator) -> Settler:
        language = language_for(request.language)
        gate = language and Gate(language, request.text, request.hole.start, request.hole.end)
        demand = request.constraint
        return Settler(
            gate=ConstrainedGate(gate, demand) if demand else gate,
            around=Surroundings.of(request.text, request.hole),
            tokenizer=self._tokenizer,
            max_lines=request.max_lines,
            rule=self._rule(request),
            forbidden_V=self._vocabulary.forbidden(request.max_lines),
            noise=noise,
            deadline=clock.began_s + request.budget_ms / 1000,
        )

    def _settle(
        self, settler: Settler, fills: list[Fill], clock: _Clock
    ) -> Generator[Draft, None, Settled]:
        began = time.monotonic()
        steps = settler.settle(fills)
        while True:
            try:
                canvas = next(steps)
            except StopIteration as finished:
                clock.syntax_s += time.monotonic() - began
                return finished.value
            clock.passes += 1
            yield self._draft(fills[0].before, canvas, clock)

    def _redraft(
        self, request: InfillRequest, settler: Settler, clock: _Clock
    ) -> Generator[Draft, None, tuple[list[Fill], Settled]]:
        """Go over the request's draft instead of filling the hole from noise."""
        head, tail = request.text[: request.hole.start], request.text[request.hole.end :]
        language, decode = request.language, self._tokenizer.decode

        def look_between(before: list[int], after: list[int]) -> Look:
            left, right = head + decode(before), decode(after) + tail
            return self._look(
                prefix_tokens(self._tokenizer, language, left, len(left), self._prefix_limit),
                suffix_tokens(self._tokenizer, language, right, 0, self._suffix_limit),
                clock,
            )

        rule = self._rule(request)
        rule = replace(rule, lengths=max(rule.lengths, request.alternatives))
        steps = Redraft(
            draft=self._tokenizer.encode(request.draft or b""),
            strength=request.strength,
            look_between=look_between,
            settler=settler,
            rule=rule,
            limits=self._limits(request, clock),
            noise=settler.noise,
        ).steps()
        while True:
            began = time.monotonic()
            try:
                fill = next(steps)
            except StopIteration as finished:
                return finished.value
            clock.denoise_s += time.monotonic() - began
            clock.passes += 1
            yield self._draft(fill.before, fill.canvas, clock, fill.after)

    def _suggestion(self, settled: Settled, others: list[Settled], clock: _Clock) -> Suggestion:
        timings = Timings(
            prefill_ms=clock.prefill_s * 1000,
            denoise_ms=clock.denoise_s * 1000,
            syntax_ms=clock.syntax_s * 1000,
            total_ms=(time.monotonic() - clock.began_s) * 1000,
            prefill_tokens=clock.prefill_tokens,
            context_tokens=clock.context_tokens,
            forward_passes=clock.passes,
            filled_tokens=len(self._tokenizer.encode(settled.text)),
        )
        alternatives = tuple(
            Alternative(one.text.decode(), one.score_nats, one.verdict) for one in others
        )
        return Suggestion(
            settled.text.decode(), settled.score_nats, settled.verdict, timings, alternatives
        )


def _ranked(done: list[int], canvas: Canvas, lengths: list[Length], look: Look) -> list[Fill]:
    """One fill per row, the one that is likeliest right first."""
    fills = [
        Fill(done, canvas.row(row), look, chance_nats(canvas.mean_nats(row), length))
        for row, length in enumerate(lengths)
    ]
    return sorted(fills, key=lambda fill: -fill.score_nats)
