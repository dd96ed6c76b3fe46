"""Notebooks: cells that see each other, wherever they are and whatever becomes of them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.support.local_editor import Json, LocalEditor
from tests.support.scripted_client import always
from tests.support.virtual_time import run

NOTEBOOK = "nb:1"
CODE, PROSE = 2, 1
KINDS = (CODE, PROSE, CODE, CODE)
TEXTS = ("import os", "# About\n", "y = ", "os.exit()")

Script = Callable[["Notebook"], Awaitable[None]]


class Notebook:
    """An editor with a notebook of four cells, the second of them prose."""

    def __init__(self, editor: LocalEditor) -> None:
        self.editor = editor
        cells = [cell(number, kind) for number, kind in enumerate(KINDS)]
        self._notify(
            "didOpen",
            {"uri": NOTEBOOK, "notebookType": "jupyter-notebook", "version": 1, "cells": cells},
            cellTextDocuments=[document(number, text) for number, text in enumerate(TEXTS)],
        )

    def change(self, **cells: Json) -> None:
        """Tell the server of cells that came, went or changed."""
        notebook = {"uri": NOTEBOOK, "version": 2}
        self._notify("didChange", notebook, change={"cells": cells})

    def close(self) -> None:
        documents = [{"uri": uri(number)} for number in range(len(KINDS))]
        self._notify("didClose", {"uri": NOTEBOOK}, cellTextDocuments=documents)

    async def ask(self, number: int, character: int) -> list[Any]:
        """What is suggested in the first line of a cell."""
        params = {
            "textDocument": {"uri": uri(number)},
            "position": {"line": 0, "character": character},
            "context": {"triggerKind": 1},
        }
        request = self.editor.request("textDocument/inlineCompletion", params)
        return await self.editor.reply(request)

    async def seen(self, number: int, character: int) -> str:
        """What the engine is shown for a request there, `$0` at the cursor."""
        asked = len(self.editor.engine.requests)
        await self.ask(number, character)
        request = self.editor.engine.requests[asked]  # behind it is what may follow
        text, hole = request.text, request.hole
        return f"{text[: hole.start].decode()}$0{text[hole.end :].decode()}"

    def _notify(self, method: str, notebook: Json, **more: Json) -> None:
        params = {"notebookDocument": notebook} | more
        self.editor.notify(f"notebookDocument/{method}", params)


def uri(number: int) -> str:
    return f"cell:{number}"


def cell(number: int, kind: int = CODE) -> Json:
    return {"kind": kind, "document": uri(number)}


def document(number: int, text: str) -> Json:
    return {"uri": uri(number), "languageId": "python", "version": 1, "text": text}


def play(folder: Path, script: Script) -> None:
    async def session() -> None:
        editor = LocalEditor(always("filled"), folder)
        editor.engine.run_freely()
        await editor.start({"notebookDocument": {"synchronization": {}}})
        assert editor.capabilities["notebookDocumentSync"]
        await script(Notebook(editor))

    run(session())


def test_cells_of_code_see_each_other(tmp_path: Path) -> None:
    async def script(notebook: Notebook) -> None:
        assert await notebook.seen(2, 4) == "import os\n\ny = $0\n\nos.exit()\n"
        (item,) = await notebook.ask(2, 4)
        assert item["range"]["start"] == {"line": 0, "character": 4}

    play(tmp_path, script)


def test_a_cell_comes_goes_and_moves(tmp_path: Path) -> None:
    async def script(notebook: Notebook) -> None:
        added = {"start": 1, "deleteCount": 0, "cells": [cell(4)]}
        notebook.change(structure={"array": added, "didOpen": [document(4, "import re")]})
        assert await notebook.seen(2, 3) == "import os\n\nimport re\n\ny =$0 \n\nos.exit()\n"
        moved = {"start": 0, "deleteCount": 4, "cells": [cell(2), cell(4), cell(0), cell(1, 1)]}
        notebook.change(structure={"array": moved})
        assert await notebook.seen(2, 2) == "y $0= \n\nimport re\n\nimport os\n\nos.exit()\n"
        gone = {"start": 1, "deleteCount": 1}
        notebook.change(structure={"array": gone, "didClose": [{"uri": uri(4)}]})
        assert await notebook.seen(2, 1) == "y$0 = \n\nimport os\n\nos.exit()\n"
        assert await notebook.ask(4, 0) == []

    play(tmp_path, script)


def test_what_is_typed_in_another_cell_is_seen(tmp_path: Path) -> None:
    async def script(notebook: Notebook) -> None:
        typed = {"document": {"uri": uri(0), "version": 2}, "changes": [{"text": "import re"}]}
        notebook.change(textContent=[typed])
        assert await notebook.seen(2, 4) == "import re\n\ny = $0\n\nos.exit()\n"

    play(tmp_path, script)


def test_a_cell_that_becomes_prose_is_seen_no_more(tmp_path: Path) -> None:
    async def script(notebook: Notebook) -> None:
        notebook.change(data=[cell(0, PROSE)])
        assert await notebook.seen(2, 4) == "y = $0\n\nos.exit()\n"

    play(tmp_path, script)


def test_an_edit_in_a_cell_is_carried_on_there(tmp_path: Path) -> None:
    async def script(notebook: Notebook) -> None:
        added = {"start": 0, "deleteCount": 0, "cells": [cell(4)]}
        opened = [document(4, "total = 1\nprint(total)\n")]
        notebook.change(structure={"array": added, "didOpen": opened})
        place = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 5}}
        typed = {
            "document": {"uri": uri(4), "version": 2},
            "changes": [{"range": place, "text": "count"}],
        }
        notebook.change(textContent=[typed])
        params = {"textDocument": {"uri": uri(4)}, "position": {"line": 0, "character": 5}}
        editor = notebook.editor
        reply = await editor.reply(editor.request("textDocument/copilotInlineEdit", params))
        assert [(edit["text"], edit["range"]["start"]["line"]) for edit in reply["edits"]] == [
            ("count", 1)
        ]

    play(tmp_path, script)


def test_a_closed_notebook_gets_nothing(tmp_path: Path) -> None:
    async def script(notebook: Notebook) -> None:
        notebook.close()
        assert await notebook.ask(2, 4) == []

    play(tmp_path, script)
