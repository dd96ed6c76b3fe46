"""From a cursor to the region worth filling, and the places a file leaves for later.

What those are is said by a query per language, `queries/<language>/holes.scm`: a capture's name is
the kind, `.inside` means what lies between a node's first and last child.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast, get_args

from tree_sitter import Node, QueryCursor

from grammars.languages import Language
from grammars.trees import TREES

Kind = Literal["placeholder", "arguments", "body", "type", "docstring", "imports", "line"]
"""placeholder  what stands for code to come: `...`, `pass  # TODO`, `todo!()`
arguments    between the brackets of a call
body         of a function or method, empty so far
type         an annotation
docstring    between its quotes, or a doc comment
imports      the names that are imported
line         what follows the cursor on its line
"""

_KINDS = get_args(Kind)
_FOR_LATER = ("placeholder", "body")


@dataclass(frozen=True, slots=True)
class Shape:
    """A region worth filling: bytes `start` up to, not including, `end`."""

    start: int
    end: int
    kind: Kind


def hole_at(language: Language, text: bytes, cursor: int) -> Shape:
    """The smallest region around byte `cursor` that is worth filling; the rest of its line if none.

    The text need not be sound, but what the grammar cannot make out has no shape.
    """
    root = TREES.parse(language.grammar, text).root_node
    found = _shapes(language, root, max(cursor - 1, 0), cursor + 1)
    around = [shape for shape in found if shape.start <= cursor <= shape.end]
    return min(around, key=_size, default=_rest_of_line(text, cursor))


def placeholders(language: Language, text: bytes) -> list[Shape]:
    """Every place that is left for later, in the order of the text; none overlaps another."""
    root = TREES.parse(language.grammar, text).root_node
    found = [shape for shape in _shapes(language, root, 0, len(text)) if shape.kind in _FOR_LATER]
    apart: list[Shape] = []
    for shape in sorted(found, key=lambda shape: (shape.start, *_size(shape))):
        if not apart or shape.start > apart[-1].end:
            apart.append(shape)
    return apart


def _size(shape: Shape) -> tuple[int, int]:
    return shape.end - shape.start, _KINDS.index(shape.kind)


def _shapes(language: Language, root: Node, first: int, last: int) -> Iterator[Shape]:
    query = language.query("holes")
    if query is None:
        return
    cursor = QueryCursor(query)
    cursor.set_byte_range(first, last)
    for _, captures in cursor.matches(root):
        for name, nodes in captures.items():
            kind, _, inside = name.partition(".")
            if kind in _KINDS:
                yield Shape(*(_inside(nodes[0]) if inside else _across(nodes)), cast("Kind", kind))


def _inside(node: Node) -> tuple[int, int]:
    return node.children[0].end_byte, node.children[-1].start_byte


def _across(nodes: list[Node]) -> tuple[int, int]:
    """From the first node to the last, less a line break that a grammar counts as theirs."""
    end = max(node.end_byte for node in nodes)
    text = nodes[-1].text or b""
    return min(node.start_byte for node in nodes), end - (len(text) - len(text.rstrip()))


def _rest_of_line(text: bytes, cursor: int) -> Shape:
    rest = text[cursor:].partition(b"\n")[0].rstrip()
    return Shape(cursor, cursor + len(rest), "line")
