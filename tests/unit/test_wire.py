"""What crosses the wire arrives as it was sent, and what is malformed is named in one sentence."""

from collections.abc import AsyncIterator, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import (
    Alternative,
    Draft,
    EngineError,
    EngineInfo,
    InfillRequest,
    RequestTooLong,
    Span,
    Suggestion,
    Timings,
    WorkspaceChange,
    WorkspaceFile,
    wire,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
TIMINGS = Timings(1.5, 40.25, 2.0, 44.0, 3, 200, 4, 7)


async def read(stream: str) -> list[Draft | Suggestion]:
    return [word async for word in wire.from_events(as_lines(stream.splitlines()))]


async def as_lines(lines: Iterable[str]) -> AsyncIterator[str]:
    for line in lines:
        yield line


@st.composite
def requests(draw: st.DrawFn) -> InfillRequest:
    head, hole, tail = (draw(TEXT).encode() for _ in range(3))
    length = draw(st.none() | st.integers(1, 64))
    draft = draw(st.none() | TEXT)
    return InfillRequest(
        head + hole + tail,
        Span(len(head), len(head + hole)),
        draw(TEXT),
        length_tokens=length,
        max_lines=(draft or "").count("\n") + 1,
        draft=None if draft is None else draft.encode(),
        strength=draw(st.floats(0, 1)),
        alternatives=draw(st.integers(1, 5)),
    )


@given(requests())
def test_a_request_arrives_as_it_was_sent(request: InfillRequest) -> None:
    assert wire.request_from_json(wire.to_json(request).encode()) == request


def test_what_is_new_in_a_workspace_arrives_as_it_was_sent() -> None:
    file = WorkspaceFile("a/b.py", "python", "caf\u00e9 = 1\u2028\n".encode())
    change = WorkspaceChange("project", (file,), ("gone.py",))
    assert wire.workspace_change_from_json(wire.to_json(change).encode()) == change


def test_a_handshake_arrives_as_it_was_sent() -> None:
    info = EngineInfo("0.1.0", "default", "ab" * 32, 9_000_000, "cpu", "float32", 2)
    assert wire.info_from_json(wire.to_json(info).encode()) == info


@pytest.mark.asyncio
@given(st.lists(TEXT))
async def test_events_arrive_in_order_whatever_their_text(texts: list[str]) -> None:
    words = [Draft(text, step, 1) for step, text in enumerate(texts, start=1)]
    others = (Alternative("b", -1.5, "valid"), Alternative("", -2.5, "unchecked"))
    answer = Suggestion("\u2028\x85\r\n", -0.25, "repaired", TIMINGS, others)
    stream = "".join(wire.to_event(word) for word in [*words, answer])
    assert await read(stream) == [*words, answer]


@pytest.mark.asyncio
async def test_an_error_of_the_engine_is_raised_on_the_other_side() -> None:
    stream = wire.to_event(Draft("a", 1, 1)) + wire.to_event(RequestTooLong("The hole is huge."))
    with pytest.raises(RequestTooLong, match=r"The hole is huge\."):
        await read(stream)


@pytest.mark.asyncio
async def test_an_unknown_error_is_still_an_engine_error() -> None:
    stream = 'event: error\ndata: {"kind": "SystemExit", "message": "from a newer version"}\n\n'
    with pytest.raises(EngineError, match="from a newer version"):
        await read(stream)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"not json", "Expecting value"),
        (b"\xff", "codec can't decode"),
        (b"[]", "not a valid InfillRequest"),
        (b'{"hole": {"start": 0, "end": 0}, "language": "go"}', "KeyError: 'text'"),
        (b'{"text": 5, "hole": {"start": 0, "end": 0}, "language": "go"}', "must be a string"),
        (b'{"text": "\\ud800", "hole": {"start": 0, "end": 0}, "language": "go"}', "surrogates"),
        (b'{"text": "", "hole": {"start": 0, "end": 9}, "language": "go"}', "ends at byte 9"),
        (b'{"text": "", "hole": {"start": 1, "end": 0}, "language": "go"}', "0 <= start <= end"),
        (
            b'{"text": "\\u00e9", "hole": {"start": 1, "end": 2}, "language": "go"}',
            "byte 1, an edge",
        ),
        (
            b'{"text": "\\u00e9", "hole": {"start": 0, "end": 1}, "language": "go"}',
            "byte 1, an edge",
        ),
        (
            b'{"text": "", "hole": {"start": 0, "end": 0}, "language": "go", "seed": %d}' % 2**64,
            "seed must fit into 64 bits",
        ),
        (
            b'{"text": "", "hole": {"start": 0, "end": 0}, "language": "go", "maxLines": 2}',
            "maxLines",
        ),
        (
            b'{"text": "", "hole": {"start": 0, "end": 0}, "language": "go", "strength": 2}',
            "strength must be from 0 to 1",
        ),
        (
            b'{"text": "", "hole": {"start": 0, "end": 0}, "language": "go", "draft": "a\\nb"}',
            "the draft has 2 lines, max_lines is 1",
        ),
    ],
)
def test_a_malformed_request_is_named(body: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        wire.request_from_json(body)
    assert "\n" not in str(caught.value)
