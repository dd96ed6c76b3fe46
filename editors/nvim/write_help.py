"""Writes doc/sfumato.txt, Neovim's help, from what the Lua files say of themselves.

    .venv/bin/python editors/nvim/write_help.py

A file's chapter stands behind `---@mod TAG TITLE`, as it is to appear. Its entries are the comments
of `---` lines in front of maps, subcommands, fields or functions. tests/test_tidy.py fails while
file and help differ.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from textwrap import wrap

from lsp_server.settings import Settings, descriptions

PLUGIN = Path(__file__).parent
HELP = PLUGIN / "doc" / "sfumato.txt"

WIDTH, INDENT = 78, 29

HEAD = """\
*sfumato.txt*  Code completion from a small diffusion model on your own machine

                                                                     *sfumato*
Sfumato suggests code at the cursor as ghost text. A language server on your
machine makes the suggestions; this plugin starts it, shows what it suggests
and takes what you accept. Needs Neovim 0.10 or newer.
"""

SETTINGS = """\
They go into `settings` of |g:sfumato|. The server names in its log those it
does not understand. Drafts, if you have them sent, are drawn: the first line of
a suggestion while it comes into focus.
"""

FOOT = " vim:tw=78:ts=8:ft=help:norl:\n"

CHAPTERS = {
    "lua/sfumato/server.lua": None,
    "plugin/sfumato.lua": (r"map\('([\w-]+)'", "<Plug>(sfumato-{})", "<Plug>(sfumato-{})"),
    "lua/sfumato/command.lua": (r"subcommands\.(\w+)", "", ":Sfumato-{}"),
    "lua/sfumato/config.lua": (r"---@field (\w+)", "{}", ""),
    "lua/sfumato/status.lua": (r"---@field (\w+)", "{}", ""),
    "lua/sfumato/init.lua": (r"function M\.(\w+\(.*\))", "{}", "sfumato.{}()"),
}
"""By file: what its entries stand in front of, with a name in it; an entry's label and tag.

Where the label is empty, the first line of the comment is it.
"""

_CHAPTER = re.compile(r"^---@mod (?P<tag>\S+) (?P<title>.*)\n(?P<text>(?:---.*\n)+)", re.MULTILINE)


def help_text() -> str:
    """The help as it should be."""
    chapters = (_chapter(PLUGIN / name) for name in CHAPTERS)
    return "\n".join([HEAD, *chapters, _settings(), FOOT])


def _chapter(path: Path) -> str:
    source = path.read_text()
    found = _CHAPTER.search(source)
    assert found, f"{path} has no `---@mod`"
    text = "".join(line.removeprefix("---") for line in found["text"].splitlines(keepends=True))
    of_entries = CHAPTERS[str(path.relative_to(PLUGIN))]
    entries = _entries(source, *of_entries) if of_entries else ()
    return _heading(found["title"], found["tag"]) + text + "".join(entries)


def _entries(source: str, thing: str, label: str, tag: str) -> Iterator[str]:
    commented = re.compile(rf"((?:^--- .*\n)+)(?:^---@.*\n)*?^{thing}", re.MULTILINE)
    for comment, name in commented.findall(source):
        lines = [line.removeprefix("--- ") for line in comment.splitlines()]
        arguments = re.sub(r"\w+(?=[,)])", r"{\g<0>}", name)
        shown = label.format(arguments) or lines.pop(0)
        yield _entry(shown, tag.format(name.partition("(")[0]), " ".join(lines))


def _settings() -> str:
    texts = descriptions()
    entries = (
        _entry(field.name, "", f"{texts[field.name]} Default: {_lua(field.default)}")
        for field in fields(Settings)
    )
    return _heading("SETTINGS", "sfumato-settings") + SETTINGS + "".join(entries)


def _lua(value: object) -> str:
    """How a default is written in Lua."""
    if isinstance(value, tuple):
        return f"{{ {', '.join(map(_lua, value))} }}" if value else "{}"
    return "vim.NIL" if value is None else json.dumps(value)


def _heading(title: str, tag: str) -> str:
    return f"{'=' * WIDTH}\n{_tagged(title, tag)}\n\n"


def _tagged(text: str, tag: str) -> str:
    return f"{text}{f'*{tag}*':>{WIDTH - len(text)}}"


def _entry(label: str, tag: str, text: str) -> str:
    """A blank line, the tag if there is one, and the text to the right of the label."""
    lines = [" " * INDENT + line for line in wrap(text, WIDTH - INDENT, break_on_hyphens=False)]
    if len(label) < INDENT - 1:
        lines[0] = label.ljust(INDENT) + lines[0].strip()
    else:
        lines.insert(0, label)
    return "\n".join(["", *([_tagged("", tag)] if tag else []), *lines, ""])


if __name__ == "__main__":
    HELP.write_text(help_text())
