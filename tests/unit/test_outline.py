"""Text without its margins, and with them again."""

from hypothesis import given
from hypothesis import strategies as st

from engine.outline import Outline, joined, joined_margins, laid_out

TEXTS = st.text("ab \t\r\n\f", max_size=40).map(str.encode)


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_every_line_has_its_margin(texts: list[bytes]) -> None:
    outlines = [Outline.of(text) for text in texts]
    text = joined(one.text for one in outlines)
    assert len(joined_margins(one.margins for one in outlines)) == text.count(b"\n") + 1


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=6))
def test_what_is_laid_out_where_it_stood_is_what_stood_there(shape: list[tuple[int, bool]]) -> None:
    head = b"  head"
    rest = b"".join(b"\n" * blank + b"\n" + b" " * wide + b"line" for wide, blank in shape)
    first, *lines = Outline.of(head + rest).text.split(b"\n")
    assert first == b"head"
    assert laid_out(lines, Outline.of(head + rest).margins, b"  ", b"\n") == rest
