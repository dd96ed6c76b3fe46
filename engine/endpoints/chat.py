"""Code in a message: `/v1/chat/completions`, and Mercury's `/v1/edit/completions`.

A model that fills holes follows no instructions. It answers where the message has a hole to fill:
a chat in a fenced block, an edit at the cursor of its region.
"""

from collections.abc import Iterator

from engine.endpoints.answers import (
    AssistantMessage,
    ChatChunk,
    ChatCompletion,
    ChunkChoice,
    Delta,
    MessageChoice,
    Usage,
    usage,
)
from engine.endpoints.bodies import ChatBody, EditBody, Message, stops
from engine.endpoints.dialect import Dialect, Stamp
from engine.endpoints.errors import ApiError
from engine.endpoints.holes import CURSOR, Fenced, fenced, holed
from engine.endpoints.task import Outcome, Task
from engine.types import Draft


class Chat(Dialect[ChatBody]):
    """The last message has a fenced block with `$0` in it; the answer is the block, filled."""

    path = "/v1/chat/completions"
    summary = "Fill the hole $0 in a fenced block of code"
    body = ChatBody
    answer = ChatCompletion
    chunk = ChatChunk

    def task(self, body: ChatBody) -> Task:
        """The hole. Raises ApiError for a message without one."""
        if body.tools:
            raise ApiError("tools are not served here; leave them out.", param="tools")
        limit = body.max_completion_tokens or body.max_tokens
        text = _block(body.messages).text
        return Task(text, stops(body.stop), limit, body.n, body.temperature, body.seed)

    def answered(self, body: ChatBody, done: Outcome, stamp: Stamp) -> ChatCompletion:
        block = _block(body.messages)
        choices = [
            MessageChoice(index, AssistantMessage(_filled(block, fill.text)), fill.finish)
            for index, fill in enumerate(done.fills)
        ]
        return ChatCompletion(
            id=f"chatcmpl-{stamp.number}",
            object="chat.completion",
            created=stamp.created_s,
            model=stamp.model,
            choices=choices,
            usage=usage(done),
        )

    def streamed(self, body: ChatBody, done: Outcome, stamp: Stamp) -> Iterator[ChatChunk]:
        block = _block(body.messages)
        for index, fill in enumerate(done.fills):
            delta = Delta(_filled(block, fill.text), "assistant")
            yield _chunk(stamp, [ChunkChoice(index, delta)])
            yield _chunk(stamp, [ChunkChoice(index, Delta(), fill.finish)])
        if body.stream_options and body.stream_options.include_usage:
            yield _chunk(stamp, [], usage(done))

    def sketched(self, body: ChatBody, draft: Draft, stamp: Stamp) -> ChatChunk | None:
        if not body.diffusing:
            return None
        delta = Delta(_filled(_block(body.messages), draft.text), "assistant")
        return _chunk(stamp, [ChunkChoice(0, delta)])


class Edit(Dialect[EditBody]):
    """Mercury's next edit: the region is answered with the hole at its cursor filled."""

    path = "/v1/edit/completions"
    summary = "Rewrite a region of a file at its cursor"
    body = EditBody
    answer = ChatCompletion
    chunk = None

    def task(self, body: EditBody) -> Task:
        """The hole at the cursor. Raises ApiError for a message without the tags."""
        if body.stream:
            raise ApiError("Edits are not streamed; leave out stream.", param="stream")
        before, region, after, path = _region(body.messages)
        head, _, tail = region.partition(_CURSOR)
        text = holed(before + head, tail + after, paths=[path])
        return Task(text, (), body.max_tokens, temperature=body.temperature)

    def answered(self, body: EditBody, done: Outcome, stamp: Stamp) -> ChatCompletion:
        _, region, _, _ = _region(body.messages)
        edited = region.replace(_CURSOR, done.fills[0].text)
        message = AssistantMessage(f"```\n{edited}\n```")
        return ChatCompletion(
            id=f"cmpl-{stamp.number}",
            object="edit.completion",
            created=stamp.created_s,
            model=stamp.model,
            choices=[MessageChoice(0, message, done.fills[0].finish)],
            usage=usage(done),
        )

    def streamed(self, body: EditBody, done: Outcome, stamp: Stamp) -> Iterator[object]:
        yield self.answered(body, done, stamp)


_CURSOR = "<|cursor|>"
_PATH = "current_file_path: "


def _region(messages: list[Message]) -> tuple[str, str, str, str]:
    """Text before the region, the region with its cursor, text behind it, and the file's path."""
    asked = [message.text for message in messages if message.role == "user"]
    text = asked[0] if len(asked) == 1 else ""
    file = text.partition("<|current_file_content|>")[2]
    file, closed, _ = file.rpartition("<|/current_file_content|>")
    before, opened, rest = file.removeprefix("\n").partition("<|code_to_edit|>")
    region, ended, after = rest.removeprefix("\n").partition("<|/code_to_edit|>")
    if not (closed and opened and ended) or region.count(_CURSOR) != 1:
        raise ApiError(
            "messages must hold one user message with <|current_file_content|> around "
            "<|code_to_edit|> around one <|cursor|>.",
            param="messages",
        )
    path = ""
    if before.startswith(_PATH):
        path, _, before = before.removeprefix(_PATH).partition("\n")
    return before, region, after.removeprefix("\n"), path


def _block(messages: list[Message]) -> Fenced:
    block = fenced(messages[-1].text)
    if block is None:
        raise ApiError(
            "This model fills holes and follows no instructions; end with a message that has one "
            f"fenced block of code with {CURSOR} where the hole is.",
            param="messages",
            code="instructions_not_supported",
        )
    return block


def _filled(block: Fenced, fill: str) -> str:
    return f"{block.opening}{block.text.before}{fill}{block.text.after}{block.closing}"


def _chunk(stamp: Stamp, choices: list[ChunkChoice], used: Usage | None = None) -> ChatChunk:
    return ChatChunk(
        id=f"chatcmpl-{stamp.number}",
        object="chat.completion.chunk",
        created=stamp.created_s,
        model=stamp.model,
        choices=choices,
        usage=used,
    )
