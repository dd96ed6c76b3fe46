"""Milliseconds to a finished hole of so many tokens: Sfumato, and two that decode left to right.

All are given the length, and have read the context before. Sfumato's time is that of the whole
engine but for the syntax gate, which has nothing to say of plain text. What one pass costs in exact
fills is in the model card.
"""

import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.autoregressive import Autoregressive
from bench.llama import DTYPES, Llama, available, survives, write_gguf
from bench.timing import Spread, side_by_side
from engine.checkpoint import Checkpoint
from engine.device import Placement
from engine.families.sfumato import Sfumato
from engine.inference import Inference
from engine.infill import Engine
from engine.schedule import Rule
from engine.segments import prefix_tokens
from engine.types import InfillRequest, Span

TOKENS = (8, 16, 32, 64)
_LANGUAGE = "plaintext"
_RACE_ROUNDS, _RACE_TOKENS = 3, 32

Decode = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Contender:
    """Who fills a hole, and how long each length of `TOKENS` took."""

    name: str
    taken_ms: dict[int, Spread]

    def tokens_per_s(self, tokens: int) -> float:
        """At the median."""
        return tokens * 1000 / self.taken_ms[tokens].median


def measure_holes(
    found: Checkpoint, placement: Placement, text: str, rounds: int
) -> list[Contender]:
    """Sfumato as it serves and in one pass, decoding left to right and, if it is there, llama.cpp.

    In this order.
    """
    model = Sfumato(found, placement)
    engine, hasty = Engine(model, Rule(guesses=0)), Engine(model, Rule(guesses=0, passes=1))
    place = len(text) // 2
    context = prefix_tokens(
        found.tokenizer, _LANGUAGE, text.encode(), place, found.context_tokens // 2
    )
    rival = Autoregressive(Inference(found.model), context, found.context_tokens)
    decoders: dict[str, Decode] = {
        "sfumato": partial(_fill, engine, text, place),
        "sfumato, one pass": partial(_fill, hasty, text, place),
        "autoregressive": rival.decode,
    }
    with _llama(found, placement, context) as llama:
        decoders |= llama
        variants = {
            f"{name} {tokens}": partial(decode, tokens)
            for name, decode in decoders.items()
            for tokens in TOKENS
        }
        taken_ms = side_by_side(variants, rounds)
    return [
        Contender(name, {tokens: taken_ms[f"{name} {tokens}"] for tokens in TOKENS})
        for name in decoders
    ]


def _fill(engine: Engine, text: str, place: int, tokens: int) -> None:
    request = InfillRequest(
        text.encode(), Span(place, place), _LANGUAGE, tokens, tokens, budget_ms=60_000.0
    )
    for _ in engine.infill(request):
        pass


@contextmanager
def _llama(
    found: Checkpoint, placement: Placement, context: list[int]
) -> Generator[dict[str, Decode]]:
    """The fastest of llama.cpp's number formats and thread counts; empty where none runs."""
    if not available():
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        runs: dict[str, Decode] = {}
        for dtype in DTYPES:
            path = Path(folder) / f"{dtype}.gguf"
            write_gguf(path, found.model.config, dtype)
            if not survives(path):
                continue
            for threads in {1, max(1, placement.threads)}:
                run = stack.enter_context(Llama(path, context, threads))
                runs[f"llama.cpp {dtype}, threads: {threads}"] = run.decode
        if not runs:
            yield {}
            return
        race = {name: partial(decode, _RACE_TOKENS) for name, decode in runs.items()}
        taken_ms = side_by_side(race, _RACE_ROUNDS)
        best = min(taken_ms, key=lambda name: taken_ms[name].median)
        yield {best: runs[best]}
