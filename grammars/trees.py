"""Trees kept from text to text: a keystroke costs what it changes, not what the file is long."""

import threading
from dataclasses import dataclass

from tree_sitter import Language as Grammar
from tree_sitter import Parser, Point, Tree

KEPT = 8
"""Texts whose trees are kept: the windows and whole files of a few documents."""
_ALIKE = 0.5
"""Share of a text that has to be as before for its tree to be edited rather than made anew."""


@dataclass(frozen=True, slots=True)
class _Parsed:
    grammar: Grammar
    text: bytes
    tree: Tree


class Trees:
    """The latest texts and their trees. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: list[_Parsed] = []

    def parse(self, grammar: Grammar, text: bytes) -> Tree:
        """The tree of `text`, made from that of the kept text most like it."""
        with self._lock:
            old = self._most_alike(grammar, text)
            tree = _reparsed(old, text) if old else Parser(grammar).parse(text)
            others = (kept for kept in self._latest if kept is not old)
            self._latest = [_Parsed(grammar, text, tree), *others][:KEPT]
            return tree

    def _most_alike(self, grammar: Grammar, text: bytes) -> _Parsed | None:
        """None where none is alike enough."""
        best, most = None, _ALIKE * len(text)
        for kept in self._latest:
            if kept.grammar is grammar:
                head = common_prefix(kept.text, text)
                same = head + common_suffix(kept.text[head:], text[head:])
                if same > most:
                    best, most = kept, same
        return best


def _reparsed(old: _Parsed, text: bytes) -> Tree:
    start = common_prefix(old.text, text)
    behind = common_suffix(old.text[start:], text[start:])
    old_end, new_end = len(old.text) - behind, len(text) - behind
    tree = old.tree.copy()
    edit(tree, point_at(text, start), start, old.text[start:old_end], text[start:new_end])
    return Parser(old.grammar).parse(text, tree)


def edit(tree: Tree, point: Point, start: int, old: bytes, new: bytes) -> None:
    """Tell a tree that at byte `start`, which is at `point`, `old` became `new`."""
    tree.edit(
        start_byte=start,
        old_end_byte=start + len(old),
        new_end_byte=start + len(new),
        start_point=point,
        old_end_point=advance(point, old),
        new_end_point=advance(point, new),
    )


def point_at(text: bytes, at: int) -> Point:
    """Row and byte column of byte `at`."""
    return advance(Point(0, 0), text[:at])


def advance(point: Point, text: bytes) -> Point:
    """The point behind `text` that begins at `point`."""
    breaks = text.count(b"\n")
    if breaks:
        return Point(point.row + breaks, len(text) - text.rindex(b"\n") - 1)
    return Point(point.row, point.column + len(text))


def common_prefix(one: bytes, two: bytes) -> int:
    """Bytes that both begin with. Halving, as comparing slices is far faster than a loop."""
    low, high = 0, min(len(one), len(two))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == two[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_suffix(one: bytes, two: bytes) -> int:
    """Bytes that both end with."""
    low, high = 0, min(len(one), len(two))
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle : len(one) - low] == two[len(two) - middle : len(two) - low]:
            low = middle
        else:
            high = middle - 1
    return low


TREES = Trees()
"""The process's own."""
