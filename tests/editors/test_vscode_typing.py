"""The extension in a real VS Code: keys are typed, what the window shows is read."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.vscode import Window
from tests.support.window import FILL, FILLED, METHOD, is_


def test_tab_takes_the_suggestion_and_one_undo_takes_it_back(code: Window) -> None:
    code.open("tab.py", METHOD)
    code.type(" ")
    code.wait_for_ghost(FILL)
    code.press("Tab")
    code.wait_for_text(FILLED)
    code.press("Control+Z")
    code.wait_for_text(METHOD.replace("$0", " "))


def test_a_word_then_a_line_then_the_rest(code: Window) -> None:
    code.open("parts.py", METHOD)
    code.type(" ")
    code.wait_for_ghost(FILL)
    code.press("Control+ArrowRight")
    code.wait_for_text(METHOD.replace("$0", " self"))
    code.press("Control+ArrowDown")
    code.wait_for_text(METHOD.replace("$0", " self.items.get(name)\n"))  # its end as well
    code.wait_for_ghost("count = 1")


def test_what_is_typed_along_never_flickers(code: Window) -> None:
    code.open("along.py", METHOD)
    code.type(" ")
    code.wait_for_ghost(FILL)
    with code.never_without_ghost():
        for mark in "self.it":
            code.type(mark)
        code.wait_for_ghost("ems.get(name)\n        count = 1")


def test_brackets_that_the_editor_closes_are_typed_along(code: Window) -> None:
    code.open("typed_over.py", METHOD)
    code.type(" ")
    code.wait_for_ghost(FILL)
    code.type("self.items.get(na")
    code.wait_for_ghost("me\n        count = 1")  # the bracket between them is there
    code.press("Tab")
    code.wait_for_text(FILLED)


def test_in_brackets_what_they_hold_is_suggested_and_they_are_typed_over(code: Window) -> None:
    code.open("brackets.py", "if find$0\n")
    code.type("(")
    code.wait_for_ghost("name, 0")
    code.type("name")
    code.wait_for_ghost(", 0")
    code.press("Tab")
    code.wait_for_text("if find(name, 0)\n")
    code.type("):")
    code.wait_for_text("if find(name, 0):\n")


def test_what_is_typed_otherwise_brings_another_and_escape_ends_it(code: Window) -> None:
    code.open("diverge.py", METHOD)
    code.type(" ")
    code.wait_for_ghost(FILL)
    code.type("x.")
    code.wait_for_ghost(FILL)
    code.press("Escape")
    code.wait_without_ghost()


def test_tab_is_left_to_an_open_menu(code: Window) -> None:
    code.open("menu_tab.py", "selfish = 1\ny =$0\n")
    code.type(" s")
    code.press("Control+Space")
    code.page.locator(".suggest-widget.visible .monaco-list-row.focused").wait_for()
    code.press("Tab")
    code.page.locator(".suggest-widget.visible").wait_for(state="detached")
    code.wait_for_text("selfish = 1\ny = selfish\n")


def test_tab_indents_where_the_suggestion_is_indentation(code: Window) -> None:
    code.open("indent_tab.py", METHOD)
    code.type(" ")
    code.wait_for_ghost(FILL)
    code.press("Control+ArrowDown")
    code.wait_for_ghost("count = 1")
    code.press("Tab")
    code.wait_for_text(METHOD.replace("$0", " self.items.get(name)\n    "))


@pytest.mark.parametrize(
    "text",
    [
        "\tif x:\n\t\ty =$0",
        "s = '𝒳é🙂'; t =$0",
        "שלום = 1; u =$0\n",
        "a\x0cb =$0\n",
        "a = 1\r\nb =$0\r\n",
    ],
    ids=["tabs", "astral", "right-to-left", "form-feed", "windows"],
)
def test_text_of_any_kind_is_completed_at_the_cursor(
    code: Window, request: pytest.FixtureRequest, text: str
) -> None:
    code.open(f"{request.node.callspec.id}.py", text)
    code.type(" ")
    code.wait_for_ghost(FILL)
    code.press("Tab")
    newline = "\r\n" if "\r" in text else "\n"
    code.wait_for_text(text.replace("$0", f" {FILL}".replace("\n", newline)))


def test_a_file_that_was_never_saved_is_completed(code: Window) -> None:
    code.press("F1")
    code.type("New Untitled Text File")
    entries = code.page.locator(".quick-input-list-entry", has_not_text="Compare")
    entries.filter(has_text="New Untitled Text File").first.click()
    code.page.locator(".tab.active[data-resource-name^='Untitled']").wait_for()
    code.command("Change Language Mode")
    code.page.keyboard.type("python")
    code.page.keyboard.press("Enter")
    code.type("x = ")
    code.wait_for_ghost(FILL)
    code.press("Tab")
    expect(code.editor).to_contain_text(re.compile(r"count\s=\s1"))
    code.command("View: Revert and Close Editor")


def test_two_windows_show_each_their_own(code: Window) -> None:
    code.open("here.py", METHOD)
    with code.beside() as other:
        other.open("there.py", METHOD)
        is_(other, "idle")
        other.type(" ")
        other.wait_for_ghost(FILL)
        other.press("Tab")
        other.wait_for_text(FILLED)
    code.type(" ")
    code.wait_for_ghost(FILL)
