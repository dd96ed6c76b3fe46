"""Text around a hole: Mercury's `/v1/fim/completions` and OpenAI's legacy `/v1/completions`."""

from collections.abc import Iterator

from engine.endpoints.answers import TextChoice, TextCompletion, Usage, usage
from engine.endpoints.bodies import CompletionBody, FimBody, Prompt, stops
from engine.endpoints.dialect import Dialect, Stamp
from engine.endpoints.errors import ApiError
from engine.endpoints.holes import holed, marked
from engine.endpoints.task import Outcome, Task


class _Text(Dialect[FimBody | CompletionBody]):
    """Answers of both kinds; only what is asked differs."""

    answer = TextCompletion
    chunk = TextCompletion

    def answered(
        self, body: FimBody | CompletionBody, done: Outcome, stamp: Stamp
    ) -> TextCompletion:
        echo = _echoed(body)
        choices = [
            TextChoice(echo + fill.text, index, fill.finish)
            for index, fill in enumerate(done.fills)
        ]
        return _completion(stamp, choices, usage(done))

    def streamed(
        self, body: FimBody | CompletionBody, done: Outcome, stamp: Stamp
    ) -> Iterator[TextCompletion]:
        echo = _echoed(body)
        for index, fill in enumerate(done.fills):
            yield _completion(stamp, [TextChoice(echo + fill.text, index, None)])
            yield _completion(stamp, [TextChoice("", index, fill.finish)])
        if body.stream_options and body.stream_options.include_usage:
            yield _completion(stamp, [], usage(done))


class Fim(_Text):
    """Mercury's."""

    path = "/v1/fim/completions"
    summary = "Fill the hole between a prompt and a suffix"
    body = FimBody

    def task(self, body: FimBody | CompletionBody) -> Task:
        """The hole, until a blank line unless `stop` says otherwise."""
        text = holed(str(body.prompt), _suffix(body), body.language)
        return Task(text, stops(body.stop), body.max_tokens)


class Completions(_Text):
    """OpenAI's. A prompt with the marks of a fill-in-the-middle model brings its suffix along."""

    path = "/v1/completions"
    summary = "Continue a prompt, up to its suffix"
    body = CompletionBody

    def task(self, body: FimBody | CompletionBody) -> Task:
        """The hole. Raises ApiError for what this model cannot do."""
        assert isinstance(body, CompletionBody)
        prompt = _one_text(body.prompt)
        if body.logprobs is not None:
            raise ApiError("logprobs are not served here; leave it out.", param="logprobs")
        if body.logit_bias:
            raise ApiError("logit_bias is not served here; leave it out.", param="logit_bias")
        if body.best_of > 1 and body.stream:
            raise ApiError("best_of cannot be streamed.", param="best_of")
        if 1 < body.best_of < body.n:
            raise ApiError("best_of must be at least n.", param="best_of")
        suffix = _suffix(body)
        text = None if suffix else marked(prompt, body.language)
        return Task(
            text or holed(prompt, suffix, body.language),
            stops(body.stop),
            body.max_tokens,
            body.n,
            body.temperature,
            body.seed,
            considered=body.best_of,
        )


def _one_text(prompt: Prompt) -> str:
    texts = [prompt] if isinstance(prompt, str) else prompt
    if len(texts) == 1 and isinstance(texts[0], str):
        return texts[0]
    raise ApiError(
        "prompt must be one text; tokens and several prompts are not served here.", param="prompt"
    )


def _suffix(body: FimBody | CompletionBody) -> str:
    """The suffix; Continue writes <|endoftext|> to Mercury where nothing is behind the hole."""
    return body.suffix if body.suffix != "<|endoftext|>" else ""


def _echoed(body: FimBody | CompletionBody) -> str:
    return _one_text(body.prompt) if isinstance(body, CompletionBody) and body.echo else ""


def _completion(
    stamp: Stamp, choices: list[TextChoice], used: Usage | None = None
) -> TextCompletion:
    return TextCompletion(
        id=f"cmpl-{stamp.number}",
        object="text_completion",
        created=stamp.created_s,
        model=stamp.model,
        choices=choices,
        usage=used,
    )
