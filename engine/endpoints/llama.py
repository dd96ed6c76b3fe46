"""llama.cpp's `/infill`, on which llama.vim and llama.vscode run.

Source: llama.cpp, tools/server/README.md, and the requests of those two plugins.
"""

import re
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from engine.endpoints.answers import LlamaInfill, LlamaPiece, LlamaSettings, LlamaTimings
from engine.endpoints.bodies import LlamaBody, stops
from engine.endpoints.dialect import Dialect, Stamp
from engine.endpoints.holes import holed
from engine.endpoints.task import BUDGET_MS, Fill, Outcome, Task
from engine.types import Timings


class Infill(Dialect[LlamaBody]):
    """The hole behind `input_prefix` and `prompt`."""

    path = "/infill"
    summary = "Fill the hole between a prefix and a suffix, as llama.cpp does"
    body = LlamaBody
    answer = LlamaInfill
    chunk = LlamaPiece
    final = ""

    def task(self, body: LlamaBody) -> Task:
        """The hole. Other files' texts tell the language; the model does not read them."""
        paths = [extra.filename for extra in reversed(body.input_extra)]
        return Task(
            holed(body.input_prefix + body.prompt, body.input_suffix, body.language, paths),
            stops(body.stop),
            None if body.n_predict < 0 else body.n_predict,
            body.n_cmpl,
            body.temperature,
            None if body.seed < 0 else body.seed,
            max(body.t_max_prompt_ms, 0) + max(body.t_max_predict_ms, 0) or BUDGET_MS,
        )

    def answered(self, body: LlamaBody, done: Outcome, stamp: Stamp) -> object:
        answers = [
            _chosen(_infill(body, index, fill, done, stamp), body.response_fields)
            for index, fill in enumerate(done.fills)
        ]
        return answers if len(answers) > 1 else answers[0]

    def streamed(self, body: LlamaBody, done: Outcome, stamp: Stamp) -> Iterator[object]:
        for index, fill in enumerate(done.fills):
            last = _infill(body, index, fill, done, stamp)
            yield LlamaPiece(index, last.content, stop=False)
            last.content = ""
            yield last


def _infill(body: LlamaBody, index: int, fill: Fill, done: Outcome, stamp: Stamp) -> LlamaInfill:
    text = _indented(fill.text, body.n_indent)
    return LlamaInfill(
        index=index,
        content=text,
        stop=True,
        model=stamp.model,
        tokens_predicted=done.timings.filled_tokens,
        tokens_evaluated=done.timings.context_tokens,
        tokens_cached=done.timings.context_tokens,
        truncated=False,
        stop_type="limit" if text != fill.text else _stop_type(fill),
        stopping_word=fill.stopped_by,
        has_new_line="\n" in text,
        id_slot=max(body.id_slot, 0),
        generation_settings=LlamaSettings(
            body.n_predict, body.temperature, body.seed, list(stops(body.stop))
        ),
        timings=_timings(done.timings),
    )


def _stop_type(fill: Fill) -> Literal["eos", "limit", "word"]:
    if fill.finish == "length":
        return "limit"
    return "word" if fill.stopped_by else "eos"


def _indented(text: str, columns: int) -> str:
    """The text up to the first later line, blank ones aside, with fewer blanks at its head."""
    for line in re.finditer(r"\n([ \t]*)(?=[^ \t\n])", text):
        if len(line[1]) < columns:
            return text[: line.start()]
    return text


def _timings(spent: Timings) -> LlamaTimings:
    read, read_ms = spent.prefill_tokens, spent.prefill_ms
    written, written_ms = spent.filled_tokens, spent.denoise_ms + spent.syntax_ms
    return LlamaTimings(
        cache_n=max(spent.context_tokens - read, 0),
        prompt_n=read,
        prompt_ms=read_ms,
        prompt_per_token_ms=read_ms / max(read, 1),
        prompt_per_second=1000 * read / max(read_ms, 1e-3),
        predicted_n=written,
        predicted_ms=written_ms,
        predicted_per_token_ms=written_ms / max(written, 1),
        predicted_per_second=1000 * written / max(written_ms, 1e-3),
    )


def _chosen(answer: LlamaInfill, fields: list[str]) -> object:
    """The answer, or those of its fields that are wanted, each under the path it is wanted by."""
    if not fields:
        return answer
    whole = msgspec.to_builtins(answer)
    found: dict[str, Any] = {}
    for path in fields:
        inner: Any = whole
        for name in path.split("/"):
            inner = inner.get(name) if isinstance(inner, dict) else None
        if inner is not None:
            found[path] = inner
    return found
