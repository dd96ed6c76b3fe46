"""Parsed text and the faults in it. Total: any bytes give a tree, and nothing here raises."""

from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Language as Grammar
from tree_sitter import Node, Parser, Tree

from grammars.trees import TREES, edit, point_at


@dataclass(frozen=True, slots=True)
class Fault:
    """Something the grammar or a lint refuses.

    start, end   bytes; equal where something is missing
    kind         "error", "hidden" or "missing X" from tree-sitter, otherwise the lint's own word
    """

    start: int
    end: int
    kind: str


class EditedText:
    """A text with a hole, parsed once, then parsed again for each fill from the first tree.

    Source: tree-sitter, "Advanced parsing: editing".
    """

    def __init__(self, grammar: Grammar, text: bytes, start: int, end: int) -> None:
        self._before, self._after = text[:start], text[end:]
        self._parser = Parser(grammar)
        self._empty = TREES.parse(grammar, self._before + self._after)
        self._point = point_at(text, start)
        self._latest = (b"", self._empty)

    def fill(self, fill: bytes) -> tuple[Tree, bytes]:
        """The tree and the bytes with `fill` in the hole."""
        source = self._before + fill + self._after
        if not fill:
            return self._empty, source
        if fill != self._latest[0]:
            tree = self._empty.copy()
            edit(tree, self._point, len(self._before), b"", fill)
            self._latest = (fill, self._parser.parse(source, tree))
        return self._latest[1], source


def tree_faults(root: Node) -> list[Fault]:
    """Every ERROR and MISSING node, in text order; [] exactly if `root.has_error` is False.

    `has_error` is the complete test: some errors sit in nodes the grammar hides, which neither a
    query nor a walk for ERROR can find. Those are reported as the smallest visible node around.
    """
    found: list[Fault] = []
    pending = [root] if root.has_error else []
    while pending:
        node = pending.pop()
        inner = [child for child in node.children if child.has_error or child.is_missing]
        if node.is_error:
            found.append(Fault(node.start_byte, node.end_byte, "error"))
        elif node.is_missing:
            found.append(Fault(node.start_byte, node.end_byte, f"missing {node.type}"))
        elif not inner:
            found.append(Fault(node.start_byte, node.end_byte, "hidden"))
        pending.extend(reversed(inner))
    return found


def nodes_touching(root: Node, start: int, end: int) -> Iterator[Node]:
    """The nodes that share or border a byte of `start` up to `end`, parents before children."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        touching = [c for c in node.children if c.start_byte <= end and c.end_byte >= start]
        pending.extend(reversed(touching))


def nodes_around(root: Node, start: int, end: int) -> Iterator[Node]:
    """The nodes that hold all bytes of `start` up to `end`, the innermost first."""
    node = root.descendant_for_byte_range(start, end)
    while node:
        yield node
        node = node.parent
