"""Does a fill leave the buffer sound? Asked of every draft, so it has to be quick.

What is promised of a fill without faults:

P1  Where no grammar or lint refuses the buffer with the hole empty, or with the cursor's line
    stubbed, none refuses the filled buffer.
P2  Otherwise, which is the normal state of code being typed, no fault starts in the fill; and with
    the rest of the buffer mended, where we find a way, there is none at all. Where we find none,
    there are no more than there were.
P3  What was parsed is what is inserted; but where the user has begun the head of a block, which is
    a fault without its body, its end is parsed with one. So is a line that ends with the bracket or
    quote behind the hole, which an editor puts there: with what ends a statement, or with a block.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import islice

from grammars.context import Context, Repair, repairs
from grammars.injections import embedded_around
from grammars.languages import Language
from grammars.syntax import Fault
from grammars.window import is_balanced, window_around

WHOLE_FILE_BYTES = 256 * 1024
"""Longest text that `confirm` parses whole."""

_MOST_HEADS = 16
"""Heads of a fill that are tried, a parse each: the last resort, too, has to end in time."""
_WORD = re.compile(rb"\w")
_NAME = re.compile(rb"\bx\b")
_TOKEN_END = re.compile(rb"(?<=\w)(?!\w)|(?<=[^\w\s])")


class Gate:
    """Judges fills for one hole of one text, in a window around it; built once per request.

    deadline  seconds of `time.monotonic`. Past it a fill is held against no more than has been
              found of the buffer, as if that were sound, and no further head of it is tried.

    NOTE: not thread-safe, and parsing holds the GIL.
    """

    def __init__(
        self,
        language: Language,
        text: bytes,
        start: int,
        end: int,
        deadline: float = float("inf"),
    ) -> None:
        first, last = window_around(text, start, end)
        if len(text) < 2 * (last - first):
            first, last = 0, len(text)  # in a broken buffer both would be mended
        self._deadline = deadline
        self._judge = _Judge(
            Context(language, text[first:last], start - first, end - first), deadline
        )
        self._file = (language, text, start, end)
        short = len(text) <= WHOLE_FILE_BYTES
        self._cut = short and (first, last) != (0, len(text))
        within = embedded_around(language, text, start, end) if short else None
        self._inner: Gate | None = None
        if within:
            inner, first, last = within
            self._inner = Gate(inner, text[first:last], start - first, end - first, deadline)

    def faults(self, fill: bytes) -> tuple[Fault, ...]:
        """The faults that `fill` adds; () means sound.

        Offsets count from the start of the fill and are clipped to it: a bracket left open often
        shows as a fault far behind.
        """
        found = self._judge.faults(fill)
        if found and self._cut_is_bad:
            self._judge = self._whole
            found = self._judge.faults(fill)
        elif found and self._cut and not is_balanced(fill):
            found = self._whole.faults(fill)  # what it opens or closes may lie outside the window
        return found or (self._inner.faults(fill) if self._inner else ())

    def confirm(self, fill: bytes) -> bool:
        """Is `fill` sound in the whole file? Where window and file disagree, the file is right.

        Texts over WHOLE_FILE_BYTES are judged in their window.
        """
        sound = not (self._whole if self._cut else self._judge).faults(fill)
        return sound and (self._inner is None or self._inner.confirm(fill))

    def nodes(self, fill: bytes) -> set[str]:
        """The kinds of node of the grammar that are exactly the fill."""
        return self._judge.context.nodes(fill)

    @property
    def whole(self) -> bool:
        """Is the buffer, as it is with nothing in the hole, without any fault?"""
        return not self._judge.context.faults(b"")

    @property
    def strict(self) -> bool:
        """Has the buffer no fault of its own, so that P1 holds and not P2?"""
        return self._judge.tolerated_faults == 0

    @cached_property
    def _whole(self) -> "_Judge":
        return _Judge(Context(*self._file), self._deadline)

    @cached_property
    def _cut_is_bad(self) -> bool:
        """Does the window show faults in the user's own code that the file does not have?"""
        if not self._cut or not self._judge.context.faults(b""):
            return False
        tolerated = self._judge.tolerated_faults
        return self._whole.tolerated_faults < tolerated or not self._whole.context.faults(b"")

    def longest_sound_prefix(self, fill: bytes) -> bytes:
        """The longest head of `fill` that adds no fault; b"" if none.

        It ends where a line does, or else where a token does.
        """
        for head in heads(fill, self._deadline):
            if not self.faults(head):
                return head
        return b""

    def completions(self) -> list[bytes]:
        """What may be all that is missing, shortest first: brackets, quotes, a semicolon."""
        stubs = {form for stub in self._judge.context.stubs for form in _quoted(stub)}
        return sorted((s for s in stubs if s and not _WORD.search(s)), key=_short_first)

    def named(self, name: bytes) -> list[bytes]:
        """What may be missing where that takes a name: heads and links, then the shortest first."""
        context = self._judge.context
        stubs = sorted(filter(_NAME.search, context.stubs), key=_short_first)
        return [_NAME.sub(name, stub) for stub in (*context.language.heads, *stubs)]


def heads(fill: bytes, deadline: float) -> Iterator[bytes]:
    """What a fill has up to its end, to the ends of lines, to the ends of tokens; longest first.

    None that is blank, no more than _MOST_HEADS, and none past the deadline.
    """
    line_ends = [found.start() for found in re.finditer(rb"\r?\n", fill)]
    token_ends = [found.end() for found in _TOKEN_END.finditer(fill)]
    ends = dict.fromkeys([len(fill), *reversed(line_ends), *reversed(token_ends)])
    for end in islice(ends, _MOST_HEADS):
        if time.monotonic() >= deadline:
            return
        if fill[:end].strip():
            yield fill[:end]


def _quoted(stub: bytes) -> Iterator[bytes]:
    """The stub in each kind of quotes."""
    yield from (stub.replace(b'"', quote) for quote in (b'"', b"'", b"`"))


def _short_first(text: bytes) -> tuple[int, bytes]:
    return len(text), text


class _Judge:
    """Compares a filled text with the same text as the user left it."""

    def __init__(self, context: Context, deadline: float) -> None:
        self.context, self._deadline = context, deadline
        self._known: dict[bytes, tuple[Fault, ...]] = {}
        self._found_repairs: list[Repair] = []
        self._more_repairs = repairs(context, deadline)

    def faults(self, fill: bytes) -> tuple[Fault, ...]:
        """Those that the fill adds; rows, moves and heads are often the same text."""
        if fill not in self._known:
            self._known[fill] = self._found(fill)
        return self._known[fill]

    def _found(self, fill: bytes) -> tuple[Fault, ...]:
        try:
            fill.decode()
        except UnicodeDecodeError as error:
            return (Fault(error.start, error.end, "encoding"),)
        added = self._added(self.context.faults(fill), fill)
        headed = self.context.with_body(fill) if added else None
        if headed:
            added = self._added(self.context.faults(headed), headed)
        if added and self._ended:
            return self._ended.faults(fill)
        return tuple(dict.fromkeys(_clipped(fault, len(fill)) for fault in added))

    @cached_property
    def _ended(self) -> "_Judge | None":
        ended = self.context.ended
        return ended and _Judge(ended, self._deadline)

    def _added(self, found: list[Fault], fill: bytes) -> list[Fault]:
        if not found:
            return []
        if not _is_of_tree(found[0]):
            return [fault for fault in found if fault.kind not in self._tolerated_lints]
        inside = [fault for fault in found if 0 <= fault.start < len(fill)]
        if inside or not self.tolerated_faults:
            return inside or found
        if self.context.is_apart(fill):
            return []
        return self._mended(fill, found)

    def _mended(self, fill: bytes, found: list[Fault]) -> list[Fault]:
        """The faults that are left with the rest of the buffer mended, if there is a way."""
        least: list[Fault] | None = None
        for repair in self._repairs():
            left = repair.faults(fill)
            if not left:
                return []
            least = left if least is None else min(least, left, key=len)
        if least is None:
            return found if len(found) > self.tolerated_faults else []
        return least

    def _repairs(self) -> Iterator[Repair]:
        """Those found for earlier fills first; to look for them takes longest of all."""
        yield from self._found_repairs
        for repair in self._more_repairs:
            self._found_repairs.append(repair)
            yield repair

    @cached_property
    def tolerated_faults(self) -> int:
        """Faults of the tree that the buffer has already; 0 is the strict case."""
        return min(map(len, self._baselines(lints=False)))

    @cached_property
    def _tolerated_lints(self) -> set[str]:
        """Lints that the user's own code fails, such as newer syntax than this interpreter's."""
        baselines = list(self._baselines(lints=True))
        return {fault.kind for faults in baselines for fault in faults if all(baselines)}

    def _baselines(self, *, lints: bool) -> Iterator[list[Fault]]:
        """Faults of the buffer as it is, up to the first stub with none; past the deadline none.

        Asked for only when a fill is suspect: a sound one needs none.
        """
        for faults in self.context.baselines(lints=lints):
            yield faults
            if not faults:
                return
            if time.monotonic() >= self._deadline:
                yield []
                return


def _is_of_tree(fault: Fault) -> bool:
    return fault.kind.startswith(("error", "hidden", "missing"))


def _clipped(fault: Fault, length: int) -> Fault:
    start = min(max(fault.start, 0), length)
    return replace(fault, start=start, end=min(max(fault.end, start), length))
