"""The index of a workspace: everything is found that stands in it, and nothing that does not."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.lookup import look_up
from engine.outline import Outline
from engine.shelves import matches
from engine.types import InfillRequest, Span, WorkspaceChange, WorkspaceFile
from engine.workspace import Others, Shard, Workspaces


def file(name: str, text: str, language: str = "python") -> WorkspaceFile:
    return WorkspaceFile(name, language, text.encode())


def hole(text: str = "root = os.", name: str = "own.py", language: str = "python") -> InfillRequest:
    end = len(text.encode())
    return InfillRequest(text.encode(), Span(end, end), language, workspace="project", file=name)


def found(workspaces: Workspaces, request: InfillRequest | None = None) -> list[str]:
    """The likeliest fill looked up in the workspace for a hole, if there is any."""
    request = request or hole()
    guesses = look_up(request.text, request.hole, 1, workspaces.around(request))
    return [guess.fill for guess in guesses]


@given(st.lists(st.text("ab\n", max_size=40), max_size=5), st.text("ab\n", min_size=3, max_size=12))
def test_the_longest_repeats_of_a_text_are_found(texts: list[str], key: str) -> None:
    shard = Shard.of({str(n): Outline.of(text.encode()) for n, text in enumerate(texts)})
    indexed = list(Others(shard, "").matches(key.encode()))
    read = list(matches(shard.text, key.encode()))
    assert [m.shared for m in indexed if m.shared > 1] == [m.shared for m in read]


def test_what_stands_in_another_file_is_found() -> None:
    workspaces = Workspaces()
    kept = workspaces.change(WorkspaceChange("project", (file("a.py", "root = os.getcwd()\n"),)))
    assert kept == 1
    assert found(workspaces) == ["getcwd()"]


def test_a_file_does_not_look_at_its_own_copy_in_the_index() -> None:
    workspaces = Workspaces()
    own, other = file("own.py", "root = os.getcwd()\n"), file("b.py", "root = os.path\n")
    workspaces.change(WorkspaceChange("project", (own, other)))
    assert found(workspaces) == ["path"]


@pytest.mark.parametrize(("language", "fills"), [("typescript", ["getcwd()"]), ("python", [])])
def test_only_languages_that_share_lines_look_at_each_other(
    language: str, fills: list[str]
) -> None:
    workspaces = Workspaces()
    script = file("a.js", "root = os.getcwd()\n", "javascript")
    workspaces.change(WorkspaceChange("project", (script,)))
    assert found(workspaces, hole(language=language)) == fills


def test_what_changes_is_found_as_it_is_now_and_what_is_gone_no_more() -> None:
    workspaces = Workspaces()
    old = (file("a.py", "root = os.getcwd()\n"), file("b.py", "root = os.path\n"))
    workspaces.change(WorkspaceChange("project", old))
    fresh = (file("a.py", "root = os.environ\n"),)
    assert workspaces.change(WorkspaceChange("project", fresh, gone=("b.py",))) == 1
    assert found(workspaces) == ["environ"]


def test_projects_are_apart() -> None:
    workspaces = Workspaces()
    workspaces.change(WorkspaceChange("another", (file("a.py", "root = os.getcwd()\n"),)))
    assert found(workspaces) == []


def test_a_full_workspace_takes_no_more_files_and_keeps_those_it_has() -> None:
    workspaces = Workspaces(limit_bytes=30)
    workspaces.change(WorkspaceChange("project", (file("a.py", "root = os.getcwd()\n"),)))
    assert workspaces.change(WorkspaceChange("project", (file("b.py", "x = 1\n" * 9),))) == 1
    assert found(workspaces) == ["getcwd()"]


def test_the_workspace_least_recently_used_makes_room() -> None:
    workspaces = Workspaces(limit_bytes=50)
    for name in ("project", "second"):
        workspaces.change(WorkspaceChange(name, (file("a.py", "root = os.getcwd()\n"),)))
    assert found(workspaces) == ["getcwd()"]  # and so is used
    workspaces.change(WorkspaceChange("third", (file("a.py", "root = os.getcwd()\n"),)))
    assert found(workspaces) == ["getcwd()"]
    assert workspaces.around(InfillRequest(b"", Span(0, 0), "python", workspace="second")) == []


def test_many_files_over_many_changes_are_all_found() -> None:
    workspaces, rng = Workspaces(), random.Random(1)
    texts: dict[str, str] = {}
    for turn in range(30):
        name = f"{rng.randrange(9)}.py"
        gone = (name,) if rng.random() < 0.3 else ()
        if gone:
            texts.pop(name, None)
            change = WorkspaceChange("project", (), gone)
        else:
            texts[name] = f"value_{turn} = make_{turn}()\n"
            change = WorkspaceChange("project", (file(name, texts[name]),))
        assert workspaces.change(change) == len(texts)
    for text in texts.values():
        start, fill = text.split(" = ")
        assert found(workspaces, hole(f"{start} = ")) == [fill.strip()]
