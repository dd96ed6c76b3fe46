"""Documents with a cursor, written as text with `$0`."""

from lsp_server.context import Site
from lsp_server.positions import Place, split_lines


def site_at(text: str, language: str = "python", uri: str = "file:///ws/a.py") -> Site:
    """The site whose cursor is at `$0`, which is not part of the document."""
    before, mark, after = text.partition("$0")
    assert mark, "a site needs $0"
    lines = split_lines(before.encode())
    cursor = Place(len(lines) - 1, len(lines[-1]))
    return Site(uri, language, split_lines((before + after).encode()), cursor)
