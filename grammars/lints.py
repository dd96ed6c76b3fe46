"""What tree-sitter accepts and the language does not.

A search for valid text finds the holes of a lax grammar (the real parser refused 11-15 % of what a
search in JavaScript and Go had made tree-sitter accept), so these lints are part of the gate. Each
looks only at nodes that touch bytes `start` up to `end`, the text just filled in.
"""

import ast
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise

from tree_sitter import Node, Query, QueryCursor

from grammars.syntax import Fault, nodes_touching

Lint = Callable[[Node, bytes, int, int], Iterator[Fault]]
"""(root, source, start, end) -> faults, in any order."""


_BEHIND = 2000
"""Bytes behind the fill that a query looks through."""


def queried(query: Query, root: Node, _source: bytes, start: int, end: int) -> Iterator[Fault]:
    """What a query captures; the capture's name says what is wrong. For use with `partial`.

    Looked through is also what follows, as a keyword too many shows where its like stands next.
    """
    cursor = QueryCursor(query)
    cursor.set_byte_range(max(start - 1, 0), end + _BEHIND)
    for name, nodes in cursor.captures(root).items():
        for node in nodes:
            if not name.startswith("_") and node.end_byte >= start:
                yield Fault(node.start_byte, node.end_byte, name.replace(".", " "))


def python_indentation(root: Node, source: bytes, start: int, end: int) -> Iterator[Fault]:
    """Empty blocks, and statements of one block at different columns.

    tree-sitter accepts both: 95 % of wrong re-indentations pass it.
    """
    start, end = _line_start(source, start), _next_line_end(source, end)
    for node in nodes_touching(root, start, end):
        if node.type == "block":
            outer = _indentation(source, node.parent.start_byte) if node.parent else b""
            yield from _block_faults(node, outer, source, start, end)
        elif node.type == "module":
            yield from _misplaced(node, b"", source, start, end)


def _block_faults(
    block: Node, outer: bytes, source: bytes, start: int, end: int
) -> Iterator[Fault]:
    statements = [child for child in block.named_children if child.type != "comment"]
    if not statements:
        yield Fault(block.start_byte, block.end_byte, "empty block")
        return
    first = statements[0].start_byte
    own = _indentation(source, first)
    if first - len(own) != _line_start(source, first):
        return  # the body stands on the line of its header
    if not (own.startswith(outer) and len(own) > len(outer)):
        yield Fault(first, statements[0].end_byte, "indentation")
    yield from _misplaced(block, own, source, start, end)


def _misplaced(block: Node, own: bytes, source: bytes, start: int, end: int) -> Iterator[Fault]:
    for child in block.named_children:
        at = child.start_byte
        if child.type == "comment" or child.end_byte < start or at > end:
            continue
        if source[_line_start(source, at) : at].strip(b" \t\f"):
            continue  # follows a semicolon, or its header
        if _indentation(source, at) != own:
            yield Fault(at, child.end_byte, "indentation")


def _line_start(source: bytes, at: int) -> int:
    return source.rfind(b"\n", 0, at) + 1


def _next_line_end(source: bytes, at: int) -> int:
    """End of the first line after the line of `at` that is not blank."""
    rest = source[at:].partition(b"\n")[2]
    blank = len(rest) - len(rest.lstrip())
    after = len(source) - len(rest) + blank
    found = source.find(b"\n", after)
    return len(source) if found < 0 else found


def _indentation(source: bytes, at: int) -> bytes:
    """The blank bytes that open the line of `at`; a form feed restarts the count, as in CPython."""
    line = source[_line_start(source, at) : at + 1]
    return line[: len(line) - len(line.lstrip(b" \t\f"))].rpartition(b"\f")[2]


def python_ast(root: Node, source: bytes, start: int, end: int) -> Iterator[Fault]:
    """What this interpreter's own parser refuses in the statements that hold the fill.

    Those of the innermost body: parsing the file would take longer than all else.
    """
    first, last = _statements_around(root, source, start, end)
    head = b"if 1:\n" if _indentation(source, first) else b""
    text = (head + source[first:last]).decode("utf-8-sig", "replace")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as error:
        lines = text.split("\n")[: max(error.lineno or 1, 1)]
        lines[-1] = lines[-1][: max((error.offset or 1) - 1, 0)]
        at = first + max(len("\n".join(lines).encode()) - len(head), 0)
        yield Fault(at, at, "ast")
    except (ValueError, MemoryError, RecursionError):
        yield Fault(start, end, "ast")


def _statements_around(root: Node, source: bytes, start: int, end: int) -> tuple[int, int]:
    """From the start of a line to the end of a statement: the statements that touch the fill.

    Of the innermost function or class whose body, on lines of its own, has the fill inside.
    """
    body: Node | None = root
    first, last = 0, len(source)
    while body:
        near = [c for c in body.named_children if c.start_byte <= end and c.end_byte >= start]
        if not near or near[0].type == "comment":
            break
        first, last = _line_start(source, near[0].start_byte), near[-1].end_byte
        node = near[0].child_by_field_name("definition") or near[0]
        body = node.child_by_field_name("body") if len(near) == 1 else None
        if not (
            body
            and node.type in ("function_definition", "class_definition")
            and body.start_byte < start
            and end < body.end_byte
            and not source[_line_start(source, body.start_byte) : body.start_byte].strip()
        ):
            break
    return first, last


_COMMA_LISTS = {"arguments", "object", "object_pattern", "type_arguments", "type_parameters"}
_RESERVED = frozenset(
    b"break case catch class const continue debugger default delete do else enum export extends "
    b"finally for function if import in instanceof let new return super switch this throw try "
    b"typeof var void while with".split()
)


def javascript(root: Node, source: bytes, start: int, end: int) -> Iterator[Fault]:
    """Doubled commas, `const` with no value, `try` alone, reserved words as names, JSX tags."""
    for node in nodes_touching(root, start, end):
        if node.type in _COMMA_LISTS:
            yield from _doubled_commas(node)
        elif node.type == "lexical_declaration":
            yield from _valueless_constants(node)
        elif node.type == "try_statement":
            if not (node.child_by_field_name("handler") or node.child_by_field_name("finalizer")):
                yield Fault(node.start_byte, node.end_byte, "try alone")
        elif node.type == "jsx_element":
            opening, closing = node.children[0], node.children[-1]
            if _tag(opening) != _tag(closing):
                yield Fault(closing.start_byte, closing.end_byte, "tag")
        elif node.type == "identifier" and source[node.start_byte : node.end_byte] in _RESERVED:
            yield Fault(node.start_byte, node.end_byte, "reserved word")


def _doubled_commas(items: Node) -> Iterator[Fault]:
    for one, two in pairwise(child for child in items.children if child.type != "comment"):
        if two.type == "," and one.type in {",", "(", "{", "<"}:
            yield Fault(two.start_byte, two.end_byte, "double comma")


def _tag(bracketed: Node) -> bytes | None:
    name = bracketed.child_by_field_name("name")
    return name and name.text


def _valueless_constants(declaration: Node) -> Iterator[Fault]:
    kind = declaration.child_by_field_name("kind")
    if kind is None or kind.type != "const":
        return
    for child in declaration.named_children:
        # A typed one may be a declaration of TypeScript (`declare module "m" { const x: T; }`).
        given = child.child_by_field_name("value") or child.child_by_field_name("type")
        if child.type == "variable_declarator" and not given:
            yield Fault(child.start_byte, child.end_byte, "const without value")


_JAVA_STATEMENTS = {
    "assignment_expression", "method_invocation", "object_creation_expression",
    "switch_expression", "update_expression",
}  # fmt: skip


def java(root: Node, _source: bytes, start: int, end: int) -> Iterator[Fault]:
    """Expressions that are no statement (JLS 14.8), and any outside a class."""
    for node in nodes_touching(root, start, end):
        if node.type == "expression_statement" and node.parent is not None:
            kind = node.named_children[0].type if node.named_children else ""
            within = node.parent.type
            if within == "program" or (within != "switch_rule" and kind not in _JAVA_STATEMENTS):
                yield Fault(node.start_byte, node.end_byte, "not a statement")


_GO_TOP_LEVEL = {
    "package_clause", "import_declaration", "const_declaration", "var_declaration",
    "type_declaration", "function_declaration", "method_declaration", "comment",
}  # fmt: skip
# Nodes whose parts may stand on lines of their own: all that occur in 150 files of moby,
# prometheus, gin and rclone.
_GO_LINE_LISTS = {
    "source_file", "block", "statement_list", "import_spec_list", "const_declaration",
    "var_spec_list", "type_declaration", "field_declaration_list", "interface_type",
    "expression_switch_statement", "type_switch_statement", "select_statement",
    "expression_case", "type_case", "default_case", "communication_case", "labeled_statement",
}  # fmt: skip
_GO_ENDS_STATEMENT = {
    "identifier", "field_identifier", "type_identifier", "package_identifier", "label_name",
    "blank_identifier", "int_literal", "float_literal", "imaginary_literal", "rune_literal",
    "true", "false", "nil", "iota", '"', "`", "break", "continue", "fallthrough", "return",
    "++", "--", ")", "]", "}",
}  # fmt: skip


def go(root: Node, _source: bytes, start: int, end: int) -> Iterator[Fault]:
    """Line breaks at which Go ends a statement (spec, "Semicolons") but tree-sitter reads on.

    And statements outside functions.
    """
    for node in nodes_touching(root, start, end):
        if node.type == "source_file":
            for child in node.named_children:
                touching = child.start_byte <= end and child.end_byte >= start
                if touching and child.type not in _GO_TOP_LEVEL:
                    yield Fault(child.start_byte, child.end_byte, "statement outside function")
        elif node.type not in _GO_LINE_LISTS:
            parts = (child for child in node.children if child.type != "comment")
            for one, two in pairwise(parts):
                broken = one.end_point.row < two.start_point.row
                if broken and _last_leaf(one).type in _GO_ENDS_STATEMENT:
                    yield Fault(one.end_byte, two.start_byte, "line break")


def _last_leaf(node: Node) -> Node:
    while node.child_count:
        node = node.child(node.child_count - 1)
    return node


_C_DIRECTIVES = frozenset(
    b"assert error ident import include_next line pragma sccs unassert undef warning".split()
)
"""Those that tree-sitter tells by no rule of their own."""
_C_DIRECTIVES_WITH_NAME = {
    "preproc_include", "preproc_def", "preproc_function_def", "preproc_ifdef",
}  # fmt: skip


def c(root: Node, source: bytes, start: int, end: int) -> Iterator[Fault]:
    """Directives that the preprocessor does not know, or that go on in the next line."""
    for node in nodes_touching(root, start, end):
        if node.type == "preproc_call":
            word = node.children[0]
            text = source[word.start_byte : word.end_byte].lstrip(b"# \t")
            if text and text not in _C_DIRECTIVES:
                yield Fault(word.start_byte, word.end_byte, "directive")
        elif node.type in _C_DIRECTIVES_WITH_NAME:
            last = node.child_by_field_name("parameters") or node.children[1]
            head = source[node.start_byte : last.end_byte]
            if head.replace(b"\\\n", b"").replace(b"\\\r\n", b"").count(b"\n"):
                yield Fault(node.start_byte, last.end_byte, "line break")
