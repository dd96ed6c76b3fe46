"""Languages within languages: the script of a page, judged as what it is."""

from tree_sitter import QueryCursor

from grammars.languages import Language, language_for
from grammars.trees import TREES


def embedded_around(
    language: Language, text: bytes, start: int, end: int
) -> tuple[Language, int, int] | None:
    """The language of the text around bytes `start` up to `end`, and from where to where it goes.

    None where that is the file's own, or one without a grammar here.
    """
    query = language.query("injections")
    if query is None:
        return None
    cursor = QueryCursor(query)
    cursor.set_byte_range(max(start - 1, 0), end + 1)
    for pattern, captures in cursor.matches(TREES.parse(language.grammar, text).root_node):
        inner = language_for(str(query.pattern_settings(pattern).get("injection.language")))
        for node in captures["injection.content"]:
            if inner and node.start_byte <= start and end <= node.end_byte:
                return inner, node.start_byte, node.end_byte
    return None
