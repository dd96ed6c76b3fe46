"""Functions and classes that do not say yet what they are for."""

from dataclasses import dataclass

from tree_sitter import Node

from grammars.languages import Language
from grammars.syntax import nodes_touching
from grammars.trees import TREES

_DEFINITIONS = frozenset(
    (
        "class_declaration",
        "class_definition",
        "function_declaration",
        "function_definition",
        "function_item",
        "method_declaration",
        "method_definition",
    )
)


@dataclass(frozen=True, slots=True)
class Definition:
    """Where a definition starts, and where the first statement of its body does, in bytes."""

    start: int
    body: int


def undocumented(language: Language, text: bytes, cursor: int) -> Definition | None:
    """The smallest definition around byte `cursor`; None if there is none, or it is documented."""
    root = TREES.parse(language.grammar, text).root_node
    around = [
        node
        for node in nodes_touching(root, cursor, cursor)
        if node.type in _DEFINITIONS and node.child_by_field_name("body")
    ]
    if not around:
        return None
    node = max(around, key=lambda node: node.start_byte)
    body = node.child_by_field_name("body")
    first = body.named_children[0] if body and body.named_children else None
    if first is None or _is_string(first) or _has_comment_above(node):
        return None
    return Definition(node.start_byte, first.start_byte)


def _is_string(statement: Node) -> bool:
    """Whether a statement is a docstring."""
    inner = statement.named_children
    return statement.type == "expression_statement" and bool(inner) and inner[0].type == "string"


def _has_comment_above(node: Node) -> bool:
    """Whether a comment ends right above the node, or above what it is exported by."""
    parent = node.parent
    outer = parent if parent and parent.start_point.row == node.start_point.row else node
    above = (outer if outer.parent else node).prev_sibling
    near = above is not None and node.start_point.row - above.end_point.row <= 1
    return above is not None and near and "comment" in above.type
