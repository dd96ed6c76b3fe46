"""Changes, requests, cancels, closes and settings in any order: one reply each, nothing left.

.venv/bin/pytest tests/e2e/test_interleavings.py --interleavings 10000
"""

import asyncio
import gc
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

import pytest

from engine import Draft, EngineError, EngineUnreachable, InfillRequest, Suggestion
from tests.support.local_editor import LocalEditor
from tests.support.scripted_client import suggestion
from tests.support.virtual_time import run

DOCUMENTS = ("file:///a.py", "file:///b.py", "file:///ws/c.py")
TEXT = "def f(x):\n    total = \n\n"
ACTIONS = 24

CAPABILITIES = {
    "workspace": {
        "configuration": True,
        "didChangeConfiguration": {"dynamicRegistration": True},
    },
    "textDocument": {"completion": {"dynamicRegistration": True}},
}


def fill(request: InfillRequest) -> Sequence[Draft | Suggestion | EngineError]:
    """Two drafts and a fill; some requests break the engine, others are refused."""
    dice = len(request.text) % 13
    drafts = [Draft("to░░░", 1, 3), Draft("total░", 2, 1)]
    if dice == 0:
        return [*drafts, EngineUnreachable("The engine is gone.")]
    if dice == 1:
        return [*drafts, EngineError("The engine failed.")]
    return [*drafts, suggestion(("total(x)", "x\n    y", "", "ab")[dice % 4])]


class Chaos:
    """One editor that does things in an order drawn at random, and what must hold meanwhile."""

    def __init__(self, editor: LocalEditor, seed: int) -> None:
        self.editor = editor
        self.draw = random.Random(seed)
        self.running: Counter[str] = Counter()
        self._watch_engine()

    async def act(self) -> None:
        actions: list[Callable[[], None]] = [
            *[self.type_key] * 6,
            *[self.ask] * 6,
            *[self.let_the_engine_work] * 6,
            self.accept,
            self.delete,
            self.cancel,
            self.shut_or_open,
            self.change_settings,
            self.answer_question,
        ]
        self.draw.choice(actions)()
        # at least one turn: the server reads its next message when the last one's handler has begun
        wait_s = self.draw.choice((0, 0, 0, 0.01, 0.1, 1))
        await asyncio.sleep(wait_s)
        assert max(self.running.values(), default=0) <= 1, "two jobs in one document"

    def type_key(self) -> None:
        uri = self._some_document()
        index = self._cursor(uri)
        self.editor.edit(uri, index, index, self.draw.choice("total(x)\n "))

    def delete(self) -> None:
        uri = self._some_document()
        index = self._cursor(uri)
        self.editor.edit(uri, max(0, index - 1), index, "")

    def ask(self) -> None:
        uri = self._some_document()
        index = self._cursor(uri) if self.draw.random() < 0.9 else 0
        self.editor.ask(uri, index, invoked=self.draw.random() < 0.2)

    def accept(self) -> None:
        for reply in list(self.editor.replies.values())[-1:]:
            for item in reply.message.get("result") or []:
                params = {key: item["command"][key] for key in ("command", "arguments")}
                self.editor.request("workspace/executeCommand", params)

    def let_the_engine_work(self) -> None:
        for _ in range(self.draw.randint(1, 4)):
            self.editor.engine.leave.release()

    def cancel(self) -> None:
        if self.editor.pending:
            self.editor.cancel(self.draw.choice(list(self.editor.pending)))

    def shut_or_open(self) -> None:
        uri = self.draw.choice(DOCUMENTS)
        if uri not in self.editor.documents:
            self.editor.open(uri, TEXT, language=uri)
        elif len(self.editor.documents) > 1:
            self.editor.shut(uri)

    def change_settings(self) -> None:
        self.editor.notify("workspace/didChangeConfiguration", {"settings": None})

    def answer_question(self) -> None:
        for question in self.editor.questions[:1]:
            wanted = {
                "enabled": self.draw.random() < 0.8,
                "debounce_ms": self.draw.choice((0, 75, 250)),
                "live_preview": self.draw.random() < 0.5,
            }
            count = len(question["params"].get("items", [0]))
            self.editor.answer(question, [wanted] * count)

    async def end(self) -> None:
        """Everything that was begun comes to its end, and what must hold then holds."""
        for uri in list(self.editor.documents):
            self.editor.shut(uri)
        while self.editor.questions:
            self.answer_question()
            await self.editor.settle()
        await asyncio.sleep(60)
        assert not self.editor.pending, "a request was never answered"
        for reply in self.editor.replies.values():
            assert "error" not in reply.message or reply.pending.cancelled, reply.message
            assert not reply.message.get("result") or reply.fresh, f"drawn late: {reply}"
        self.editor.replies.clear()
        self.editor.notifications.clear()
        assert self.editor.server.tasks == []
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not +self.running

    def _some_document(self) -> str:
        return self.draw.choice(list(self.editor.documents))

    def _cursor(self, uri: str) -> int:
        """The end of the second line: the user types in one place."""
        text = self.editor.documents[uri].text
        return text.find("\n", text.find("\n") + 1) % (len(text) + 1)

    def _watch_engine(self) -> None:
        """Count the streams that are open for each document, which the language names."""
        engine, infill = self.editor.engine, type(self.editor.engine).infill

        async def watched(request: InfillRequest) -> AsyncGenerator[Draft | Suggestion, None]:
            self.running[request.language] += 1
            stream = infill(engine, request)
            try:
                async for word in stream:
                    yield word
            finally:
                await stream.aclose()
                self.running[request.language] -= 1

        engine.infill = watched


async def interleave(folder: Path, seeds: range) -> None:
    editor = await LocalEditor(fill, folder).start(CAPABILITIES)
    for seed in seeds:
        chaos = Chaos(editor, seed)
        for uri in DOCUMENTS[:2]:
            editor.open(uri, TEXT, language=uri)
        try:
            for _ in range(ACTIONS):
                await chaos.act()
            await chaos.end()
        except AssertionError as error:
            raise AssertionError(f"with seed {seed}: {error}") from error
    gc.collect()


def test_one_reply_each_and_nothing_left_behind(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    run(interleave(tmp_path, range(int(str(pytestconfig.getoption("--interleavings"))))))
