"""What the user asks for by name, in a real VS Code: a diff first, then one undoable edit."""

import pytest

from tests.support.vscode import Window
from tests.support.window import HOLES, HOLES_FILLED

HOLE = HOLES.replace("...", "$0...", 1)


def test_what_would_change_is_shown_and_discarded(code: Window) -> None:
    code.open("discarded.py", HOLE)
    code.command("Sfumato: Fill the Hole at the Cursor")
    code.page.locator(".diff-hidden-lines-widget, .monaco-diff-editor").first.wait_for()
    code.answer("Discard")
    code.wait_for_text(HOLES)
    assert code.page.locator(".notification-toast").count() == 0


def test_in_a_file_that_is_read_only_nothing_can_be_changed(code: Window) -> None:
    usual = code.server.now
    code.server.settings({**usual, "files.readonlyInclude": {"**/locked.py": True}})
    code.open("locked.py", HOLE)
    code.page.locator(".tab.active .codicon-lock, .tab.active [class*=lock]").first.wait_for()
    code.press("Control+Alt+Space")
    code.press("F1")
    code.type("Sfumato: ")
    entries = code.page.locator(".quick-input-list-entry")
    entries.filter(has_text="Show Statistics").wait_for()
    for title in ("Fill the Hole", "Fill All", "Repair", "Rewrite", "Make the Next Edit"):
        assert entries.filter(has_text=title).count() == 0
    code.press("Escape")
    assert code.saved() == HOLES
    code.server.settings(usual)


def test_what_was_typed_while_the_diff_was_shown_is_kept(code: Window) -> None:
    code.open("meanwhile.py", HOLE)
    code.command("Sfumato: Fill the Hole at the Cursor")
    code.page.locator(".monaco-diff-editor").wait_for()
    code.page.locator(".tab[data-resource-name='meanwhile.py']").first.click()
    code.editor.click()
    code.press("Control+Home")
    code.type("# ")
    code.answer("Apply")
    code.says("The editor did not apply it: the text has changed meanwhile.")
    code.wait_for_text(f"# {HOLES}")


@pytest.mark.parametrize(
    ("title", "text", "after"),
    [
        ("Fill the Hole at the Cursor", HOLE, HOLES.replace("    ...", "    return 1")),
        ("Fill All Holes", HOLE, HOLES_FILLED),
        (
            "Repair the Selection or File",
            "def f(a, b):\n    $0return a +\n\n\ny = '𝒳é🙂'\n",
            "def f(a, b):\n    return a + b\n\n\ny = '𝒳é🙂'\n",
        ),
    ],
    ids=["fill", "fill_all", "repair"],
)
def test_it_is_applied_and_one_undo_takes_it_back(
    code: Window, request: pytest.FixtureRequest, title: str, text: str, after: str
) -> None:
    code.open(f"{request.node.callspec.id}.py", text)
    code.command(f"Sfumato: {title}")
    code.answer("Apply")
    code.wait_for_text(after)
    code.press("Control+Z")
    code.wait_for_text(text.replace("$0", ""))


def test_a_selection_is_rewritten_in_the_strength_that_is_chosen(code: Window) -> None:
    code.open("rewrite.py", "# sum\n$0total = add_up(values)\nother = 1\n")
    code.press("Shift+End")
    code.command("Sfumato: Rewrite the Selection")
    code.page.locator(".quick-input-list-entry", has_text="light").click()
    code.answer("Apply")
    code.wait_for_text("# sum\ntotal = sum(values)\nother = 1\n")


def test_a_rename_is_carried_on_in_the_next_place(code: Window) -> None:
    text = "def f(count):\n    print(count)\n    return count\n"
    code.open("next.py", text.replace("count", "$0count", 1))
    code.press("Control+Shift+ArrowRight")
    code.type("total")
    code.press("Escape")
    code.press("Alt+n")
    code.answer("Apply")
    code.wait_for_text(text.replace("count", "total", 2))


def test_a_hole_is_filled_from_the_menu_of_code_actions(code: Window) -> None:
    code.open("menu.py", HOLE)
    code.press("Control+.")
    code.page.locator(".action-widget").get_by_text("Fill this hole").click()
    code.wait_for_text(HOLES.replace("    ...", "    return 1"))


def test_where_there_is_nothing_to_do_it_says_so(code: Window) -> None:
    code.open("nothing.py", "x$0 = 1\n")
    code.command("Sfumato: Fill the Hole at the Cursor")
    code.says("There is no hole here")


def test_the_menu_of_the_status_item_has_what_there_is(code: Window) -> None:
    code.open("items.py", "x = 1\n")
    code.status.click()
    entries = code.page.locator(".quick-input-list-entry")
    entries.filter(has_text="Pause in python files").wait_for()
    for title in ("Pick a model", "Statistics", "Log", "Doctor", "Restart", "Settings"):
        entries.filter(has_text=title).first.wait_for()
    code.press("Escape")
