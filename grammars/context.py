"""A text with a hole, and what is wrong with it whatever stands in the hole.

A buffer that is being typed in is broken most of the time. To tell what a fill adds, we look for a
*stub*, a stand-in for what is to come, with which the text is sound. Where there is none, the text
besides the hole is broken too, and we look for a *repair* of it with which there is one: brackets
closed behind the cursor's line, opened before it, the line at fault left out.
"""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, takewhile

from tree_sitter import Node, QueryCursor

from grammars.brackets import OPENER, Bracket, closing, unmatched, without_partner
from grammars.languages import Language
from grammars.syntax import EditedText, Fault, nodes_around, tree_faults
from grammars.trees import TREES

_CLOSERS = re.compile(rb"""[)\]}>"'`]+""")
_QUOTED = re.compile(rb"""\"(?:\\.|[^"\\\n])*\"|'(?:\\.|[^'\\\n])*'""")


class Context:
    """A text with a hole, bytes `start` up to `end`, that is asked about fills."""

    def __init__(self, language: Language, text: bytes, start: int, end: int) -> None:
        self.language, self.text, self.start, self.end = language, text, start, end
        self.row = _line_start(text, start)
        self._edited = EditedText(language.grammar, text, start, end)

    def faults(self, fill: bytes) -> list[Fault]:
        """The faults of the filled text, at offsets from the start of the fill."""
        tree, source = self._edited.fill(fill)
        end = self.start + len(fill)
        found = _faults(self.language, tree.root_node, source, self.start, end)
        return [Fault(f.start - self.start, f.end - self.start, f.kind) for f in found]

    def is_apart(self, fill: bytes) -> bool:
        """Is the fill in a node without a fault, and all around that as it is with the hole empty?

        Then what is wrong with the text is not the fill's doing, and a mended text would have the
        same node there.
        """
        tree, source = self._edited.fill(fill)
        (empty, _), end = self._edited.fill(b""), self.start + len(fill)
        before = {_extent(node) for node in nodes_around(empty.root_node, self.start, self.start)}
        for node in nodes_around(tree.root_node, self.start, end):
            kind, first, last = _extent(node)
            if node.has_error or not node.parent:
                return False
            is_kept = (kind, first, last - len(fill)) in before and not node.parent.is_error
            if is_kept and first < self.start and end < last:
                root = tree.root_node
                around = _outside(tree_faults(root), first, last, len(fill))
                as_before = _outside(tree_faults(empty.root_node), first, last - len(fill), 0)
                lints = (lint(root, source, self.start, end) for lint in self.language.checks)
                return around == as_before and not any(map(list, lints))
        return False

    def nodes(self, fill: bytes) -> set[str]:
        """The kinds of node that are all of the fill, blanks around it aside."""
        tree, _ = self._edited.fill(fill)
        start = self.start + len(fill) - len(fill.lstrip())
        end = self.start + len(fill.rstrip())
        extents = map(_extent, nodes_around(tree.root_node, start, end))
        return {kind for kind, *_ in takewhile(lambda extent: extent[1:] == (start, end), extents)}

    def baselines(self, *, lints: bool) -> Iterator[list[Fault]]:
        """The faults with the hole empty, with the cursor's line stubbed, with the hole stubbed.

        Of the trees alone, or with those of lints, which look through all of the text then.
        """
        yield self.faults_anywhere(b"", lints=lints)
        line = self.text[self.row : self.end] + self.text[self.end :].partition(b"\n")[0]
        indent = len(line) - len(line.lstrip())
        stubbed = Context(self.language, self.text, self.row + indent, self.row + len(line))
        for context, stubs in ((stubbed, self.language.stubs), (self, self.stubs)):
            yield from (context.faults_anywhere(stub, lints=lints) for stub in stubs)

    def faults_anywhere(self, fill: bytes, *, lints: bool) -> list[Fault]:
        """The faults of the filled text, at offsets in it; as `baselines` has them."""
        tree, source = self._edited.fill(fill)
        if not lints:
            return tree_faults(tree.root_node)
        return _faults(self.language, tree.root_node, source, 0, len(source))

    @cached_property
    def stubs(self) -> list[bytes]:
        """What may stand in the hole; it closes the brackets that the cursor's line left open."""
        closers = closing(bracket for bracket in self.unmatched[0] if bracket[0] >= self.row)
        return [stub.replace(b"%", closers) for stub in self.language.fills]

    def with_body(self, fill: bytes) -> bytes | None:
        """`fill` and a stub for the body of the block whose begun head it ends with a colon.

        None if it ends none, or there are lines below that are indented as its body would be.
        """
        body, (rest, _, below) = self.language.stubs[0], self.text[self.end :].partition(b"\n")
        typed = self.text[self.row : self.start]
        begun = typed.strip() and not rest.strip() and b"\n" not in fill
        if not (body and begun and fill.rstrip().endswith(b":")):
            return None
        following = next(filter(bytes.strip, below.split(b"\n")), b"")
        if _indentation(following) > _indentation(typed):
            return None
        return fill.rstrip() + b" " + body

    @cached_property
    def ended(self) -> "Context | None":
        """The same text with the end that its line lacks, `;` or a block, for all that is known.

        An editor closes a bracket or a quote as soon as it is opened, and the user goes on behind
        it later. None if more than that is behind the hole, or the line lacks no end.
        """
        rest = self.text[self.end :].partition(b"\n")[0].rstrip()
        if not _CLOSERS.fullmatch(rest):
            return None
        head, tail = self.text[: self.end + len(rest)], self.text[self.end + len(rest) :]
        least, best = self._least_faults(), None
        for end in self.language.ends:
            if not least:
                break
            other = Context(self.language, head + end + tail, self.start, self.end)
            if (count := other._least_faults()) < least:
                least, best = count, other
        return best

    def _least_faults(self) -> int:
        """Of a name in the hole, or of nothing."""
        return min(len(self.faults(stub)) for stub in (b"x", b""))

    @cached_property
    def unmatched(self) -> tuple[list[Bracket], list[Bracket]]:
        """The brackets that are open before the hole, and those closed after it, with no partner.

        In the order of the text, seen with the hole empty.
        """
        tree, source = self._edited.fill(b"")
        places = self._bracket_places(tree.root_node)
        opened, stray = without_partner((at, source[at : at + 1]) for at in places)
        before = [bracket for bracket in opened if bracket[0] < self.start]
        return before, [bracket for bracket in stray if bracket[0] >= self.start]

    def _bracket_places(self, root: Node) -> list[int]:
        query = self.language.brackets
        nodes = QueryCursor(query).captures(root).get("bracket", []) if query else []
        return sorted(node.start_byte for node in nodes if node.end_byte > node.start_byte)

    def without_line(self, stub: bytes) -> "Context | None":
        """The same text with a stub for the line of its first fault that is not the cursor's line.

        None if there is no such line or it is shorter than the stub.
        """
        for fault in self.faults(b""):
            at = self.start + fault.start + (self.end - self.start) * (fault.start >= 0)
            first = _line_start(self.text, at)
            line = self.text[first:].partition(b"\n")[0]
            body = line.lstrip()
            if first != self.row and len(stub) <= len(body):
                head, tail = (
                    self.text[: first + len(line) - len(body)],
                    self.text[first + len(line) :],
                )
                text = head + stub.ljust(len(body)) + tail
                return Context(self.language, text, self.start, self.end)
        return None


@dataclass(frozen=True, slots=True)
class Repair:
    """A mended text, to which a fill may leave brackets open: they are closed behind its line.

    context  its hole reaches to the end of the cursor's line where that is so
    rest     what the line has behind the hole
    opened   brackets that are open before the hole
    """

    context: Context
    rest: bytes = b""
    opened: tuple[Bracket, ...] = ()

    def faults(self, fill: bytes) -> list[Fault]:
        """As `Context.faults`, of the mended text."""
        return self.context.faults(self._completed(fill) if self.opened else fill)

    def _completed(self, fill: bytes) -> bytes:
        line = fill + self.rest
        opened = _still_open(self.opened, line)
        body = self.context.language.stubs[0] if line.rstrip().endswith(b":") else b""
        return line + b" " + body + b"\n" * bool(opened) + closing(opened)


def _still_open(opened: Iterable[Bracket], text: bytes) -> list[Bracket]:
    """The brackets that are open behind `text` where these are before it; strings are left out."""
    head = b"".join(mark for _, mark in opened)
    return unmatched(head + _QUOTED.sub(b"", text))[0]


def repairs(context: Context, deadline: float) -> Iterator[Repair]:
    """Ways to mend the text around a hole, each with a stub that makes it sound; found in time."""
    for repair in chain(_bracketed(context), _without_lines(context)):
        if time.monotonic() >= deadline:
            return
        if any(not repair.faults(stub) for stub in (b"", *context.stubs)):
            yield repair


def _bracketed(context: Context) -> Iterator[Repair]:
    """Openers put before the cursor's line, closers behind it or else at the text's end."""
    before, after = context.unmatched
    if not before and not after:
        return
    language, row = context.language, context.row
    openers = b"".join(OPENER[mark] for _, mark in reversed(after))
    text = context.text[:row] + openers + context.text[row:]
    start, end = context.start + len(openers), context.end + len(openers)
    rest = text[end:].partition(b"\n")[0]
    yield Repair(Context(language, text, start, end + len(rest)), rest, tuple(before))
    closers = closing(bracket for bracket in before if bracket[0] < row)
    if closers and text[end + len(rest) :].strip():
        yield Repair(Context(language, text + b"\n" + closers, start, end))


def _without_lines(context: Context) -> Iterator[Repair]:
    for stub in context.language.stubs:
        repaired = context.without_line(stub)
        if repaired:
            yield Repair(repaired)


def faults_in(language: Language, text: bytes) -> list[Fault]:
    """All faults of a text in UTF-8, in its order: of the tree, else of the first lint with any."""
    root = TREES.parse(language.grammar, text).root_node
    return _faults(language, root, text, 0, len(text))


def _faults(language: Language, root: Node, source: bytes, start: int, end: int) -> list[Fault]:
    """Faults of the tree; if there are none, those of the first lint that has any there."""
    found = tree_faults(root)
    for lint in language.checks:
        if found:
            break
        found = list(lint(root, source, start, end))
    return sorted(found, key=lambda fault: (fault.start, fault.end))


def _extent(node: Node) -> tuple[str, int, int]:
    return node.type, node.start_byte, node.end_byte


def _outside(faults: list[Fault], first: int, last: int, added: int) -> list[Fault]:
    """Those that do not lie from `first` to `last`; what is behind moved back by `added` bytes."""

    def moved(at: int) -> int:
        return at - added if at >= last else at

    kept = (fault for fault in faults if not first <= fault.start <= fault.end <= last)
    return [Fault(moved(fault.start), moved(fault.end), fault.kind) for fault in kept]


def _line_start(text: bytes, at: int) -> int:
    return text.rfind(b"\n", 0, at) + 1


def _indentation(line: bytes) -> int:
    return len(line) - len(line.lstrip())
