"""Where the hole is in what a client sends, and which language it is in."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from grammars import language_for, language_for_path, likely_language

CURSOR = "$0"
"""The hole in a fenced block of a chat."""

_MARKS = (
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),  # Qwen, CodeGemma
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),  # StarCoder
    ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # noqa: RUF001 - DeepSeek's own
    ("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),  # GLM
    ("<PRE> ", " <SUF>", " <MID>"),  # Code Llama
)
"""How models of fill-in-the-middle are prompted: before the prefix, the suffix, the middle."""

_SUFFIX_FIRST = (
    ("[SUFFIX]", "[PREFIX]", ""),  # Codestral
    ("<[fim-suffix]>", "<[fim-prefix]>", "<[fim-middle]>"),  # Seed-Coder
)
"""The same where the suffix comes first: before the suffix, the prefix, the middle."""

_NAMED = re.compile(r"\W{1,4}language: ([\w+#-]+)")
"""A first line that minuet writes."""

_FILE = re.compile(r"<\|?file_sep\|?>([^\n<]+)")
"""What a prompt with other files in front calls each, the one with the hole last."""

_OPENING = re.compile(r"(`{3,})([\w+#-]*)[^`]*")
"""A line that opens a fenced block, and what it says of the language."""


@dataclass(frozen=True, slots=True)
class HoledText:
    """The text on both sides of a hole. language is an LSP identifier, "" if none is known."""

    before: str
    after: str
    language: str


def holed(before: str, after: str, named: str = "", paths: Iterable[str] = ()) -> HoledText:
    """A hole between two texts.

    named  what the client says of the language
    paths  files the text may be in, or goes with, the likeliest first
    """
    return HoledText(before, after, _language(named, paths, before, after))


def marked(prompt: str, named: str = "") -> HoledText | None:
    """The hole in a prompt with the marks of a fill-in-the-middle model; None without them."""
    for prefix, suffix, middle in _MARKS:
        files, found, rest = prompt.rpartition(prefix)
        before, parted, after = rest.partition(suffix)
        if found and parted and after.endswith(middle.rstrip()):
            after = after.removesuffix(middle.rstrip()).rstrip(" ")
            return holed(before, after, named, _FILE.findall(files)[-1:])
    for suffix, prefix, middle in _SUFFIX_FIRST:
        after, parted, before = prompt.partition(prefix)
        if after.startswith(suffix) and parted and before.endswith(middle):
            return holed(before.removesuffix(middle), after.removeprefix(suffix), named)
    return None


@dataclass(frozen=True, slots=True)
class Fenced:
    """A fenced block with a hole in it: what opens it, the text around the hole, what closes it."""

    opening: str
    text: HoledText
    closing: str


def fenced(message: str) -> Fenced | None:
    """The one fenced block of a message that has one hole; None where there is no such block."""
    blocks = [block for block in _blocks(message) if block[2].count(CURSOR) == 1]
    if len(blocks) != 1:
        return None
    fence, name, code = blocks[0]
    before, _, after = code.partition(CURSOR)
    return Fenced(f"{fence}{name}\n", holed(before, after, name), fence)


def _blocks(message: str) -> Iterator[tuple[str, str, str]]:
    """Fence, language and code of each fenced block that is closed."""
    fence, name, code = "", "", list[str]()
    for line in message.split("\n"):
        if fence and line.rstrip() == fence:
            yield fence, name, "".join(code)
            fence, code = "", []
        elif fence:
            code.append(line + "\n")
        elif opened := _OPENING.fullmatch(line):
            fence, name = opened.groups()


def _language(named: str, paths: Iterable[str], before: str, after: str) -> str:
    commented = _NAMED.match(before)
    for name in (named, commented[1] if commented else ""):
        if name and (language := language_for(name) or language_for_path(f"x.{name}")):
            return language.lsp_ids[0]
    for path in paths:
        if language := language_for_path(path):
            return language.lsp_ids[0]
    language = likely_language((before + after).encode())
    return language.lsp_ids[0] if language else ""
