"""The model that ships, through the commands a user runs: real weights, real processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from grammars import language_for_path
from grammars.syntax import EditedText, tree_faults
from tests.support.fake_editor import FakeEditor, initialize_params
from tests.support.processes import corner, end_processes

ROOT = Path(__file__).parents[2]
SFUMATO = str(Path(sys.executable).with_name("sfumato"))
EXAMPLES = sorted((ROOT / "examples").iterdir())


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with corner(monkeypatch) as path:
        yield path
        end_processes(ROOT / "engine" / "weights")


def test_no_example_has_more_faults_when_its_holes_are_filled(folder: Path) -> None:
    for path in EXAMPLES:
        filled = subprocess.run(
            [SFUMATO, "fill", "--budget-ms", "20000", str(path)],
            cwd=folder,
            env=os.environ,
            capture_output=True,
            check=True,
        ).stdout
        pieces = path.read_bytes().split(b"$0")
        assert filled.startswith(pieces[0])
        assert filled.endswith(pieces[-1])
        assert fault_count(path, filled) <= fault_count(path, b"".join(pieces))
        assert len(filled) > sum(map(len, pieces)), f"nothing was put into {path.name}"


def fault_count(path: Path, text: bytes) -> int:
    """Faults that the grammar of a file finds in a text."""
    language = language_for_path(path)
    assert language is not None
    tree, _ = EditedText(language.grammar, b"", 0, 0).fill(text)
    return len(tree_faults(tree.root_node))


def test_typing_in_a_file_gets_a_completion_that_fits(folder: Path) -> None:
    text = (ROOT / "examples" / "inventory.py").read_text().replace("$0", "name")
    params = initialize_params(debounce_ms=0, min_chance_percent=0)
    with FakeEditor([SFUMATO, "lsp"], folder, dict(os.environ), params) as editor:
        assert editor.status("idle")["model"].startswith("sfumato")
        editor.open(text, uri=f"file://{folder}/inventory.py")
        editor.move(r"= self\.items(?=\.)")
        end = editor.buffer.index("\n", editor.cursor)
        editor.edit(editor.cursor, end, "")
        before, after = editor.buffer[: editor.cursor], editor.buffer[editor.cursor :]
        ghost = None
        for key in ".get":
            ghost = ghost or editor.ghost()
            if ghost is None:
                editor.type(key)
                before += key
        assert ghost is not None, "nothing was offered while a call was typed"
        editor.accept(ghost)
        assert editor.buffer.startswith(before)
        assert editor.buffer.endswith(after)
        compile(editor.buffer, "inventory.py", "exec")


JAVA = """\
class Basket {
    void add(String name, int count) {
        requireNonNull(name, "a name");
        items.merge(name, count, Integer::sum);
    }

    void remove(String name) {
        requireNonNull()
        items.remove(name);
    }
}
"""


def test_brackets_that_the_editor_closed_are_filled(folder: Path) -> None:
    params = initialize_params(debounce_ms=0)
    with FakeEditor([SFUMATO, "lsp"], folder, dict(os.environ), params) as editor:
        editor.status("idle")
        editor.open(JAVA, "java", f"file://{folder}/Basket.java")
        editor.move(r"requireNonNull\((?=\))")
        item = editor.ghost()
        assert item is not None
        editor.accept(item)
        assert 'requireNonNull(name, "a name")\n' in editor.buffer
