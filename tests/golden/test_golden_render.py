"""What an accepted suggestion does to the document: `render.md`."""

from pathlib import Path

import pytest

from engine.overlap import Surroundings
from engine.types import Span
from lsp_server.context import Site
from lsp_server.positions import Encoding, place_at, splice, split_lines
from lsp_server.render import item
from tests.support.markdown_suite import Case, cases
from tests.support.sites import site_at

CASES = cases(Path(__file__).with_name("render.md"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("encoding", list(Encoding))
def test_render(case: Case, encoding: Encoding) -> None:
    site = site_at(case.blocks["before"])
    before, _, after = case.blocks["before"].partition("$0")
    hole = Span(len(before.encode()), len(before.encode()))
    around = Surroundings.of((before + after).encode(), hole)
    fill = around.trim(case.blocks["fill"].removesuffix("\n"))
    closed = fill + site.closers.decode()
    filled = accepted(site, closed, encoding) if fill else b"".join(site.lines)
    assert filled.decode() == case.blocks["after"]


def accepted(site: Site, fill: str, encoding: Encoding) -> bytes:
    """The document after the item for a fill was put into it."""
    suggestion = item(fill, site, None, encoding, number=1)
    assert suggestion.range is not None
    assert suggestion.range.start.line == suggestion.range.end.line
    start = place_at(site.lines, suggestion.range.start, encoding)
    end = place_at(site.lines, suggestion.range.end, encoding)
    return b"".join(splice(site.lines, start, end, str(suggestion.insert_text).encode()))


def test_the_suite_is_read() -> None:
    assert len(CASES) > 15
    assert len(split_lines(CASES[0].blocks["before"].encode())) == 2
