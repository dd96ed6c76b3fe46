"""Where else a name stands for the same thing, by the scopes of its file.

What opens a scope and what binds a name in it is said by a query per language,
`queries/<language>/locals.scm`.
"""

import re

from tree_sitter import Node, QueryCursor

from grammars.languages import Language
from grammars.trees import TREES

_NAME = re.compile(rb"[\w\x80-\xff]+")

Span = tuple[int, int]


def uses(language: Language, text: bytes, at: int) -> list[int] | None:
    """Where the name at byte `at` stands for what it is there, itself included, in order.

    What is a name is told by its letters alone: words of comments, members and keywords of calls
    are among them. None where nothing is known of the language's scopes.
    """
    query, found = language.query("locals"), _NAME.match(text, at)
    if query is None or found is None:
        return None
    captures = QueryCursor(query).captures(TREES.parse(language.grammar, text).root_node)
    scopes = list(map(_span, captures.get("scope", [])))
    binding = _bindings(scopes, captures.get("name", []), found[0])
    own = _innermost(binding, at)
    places = re.finditer(rb"(?<![\w\x80-\xff])%b(?![\w\x80-\xff])" % re.escape(found[0]), text)
    return [each.start() for each in places if _innermost(binding, each.start()) == own]


def _bindings(scopes: list[Span], names: list[Node], name: bytes) -> list[Span]:
    """The scopes that bind the name."""
    bound = [node.start_byte for node in names if node.text == name]
    return [scope for place in bound if (scope := _innermost(scopes, place)) is not None]


def _innermost(scopes: list[Span], place: int) -> Span | None:
    """The smallest of the scopes around a place; None for the file."""
    around = [scope for scope in scopes if scope[0] <= place < scope[1]]
    return min(around, key=lambda scope: scope[1] - scope[0], default=None)


def _span(node: Node) -> Span:
    return node.start_byte, node.end_byte
