"""The cache gives what reading everything again would give, and reads little."""

from collections.abc import Iterable

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.inference import Inference
from engine.kv_cache import PREFIX, SUFFIX, ContextCache, Read, context_of
from engine.tokenizer import MASK
from tests.support.tiny_model import tiny_denoiser, tiny_tokenizer

CAPACITY, SLOTS = 64, 4
MODEL = tiny_denoiser()
READER = Inference(MODEL)

Text = list[int]
Edit = tuple[str, int, list[int]]

TOKENS = st.lists(st.integers(12, tiny_tokenizer().size - 1), max_size=6)
EDITS = st.tuples(
    st.sampled_from(["type", "delete", "move", "replace", "other document"]),
    st.integers(0, 40),
    TOKENS,
)


class Document:
    """Tokens with a cursor."""

    def __init__(self, tokens: Text) -> None:
        self.tokens, self.cursor = tokens, len(tokens) // 2

    def edit(self, kind: str, amount: int, typed: list[int]) -> None:
        if kind == "type":
            self.tokens[self.cursor : self.cursor] = typed
            self.cursor += len(typed)
        elif kind == "delete":
            gone = min(amount, self.cursor)
            del self.tokens[self.cursor - gone : self.cursor]
            self.cursor -= gone
        elif kind == "move":
            self.cursor = min(amount, len(self.tokens))
        else:
            place = min(amount, len(self.tokens))
            self.tokens[place : place + len(typed)] = typed
            self.cursor = min(self.cursor, len(self.tokens))
        del self.tokens[40:]
        self.cursor = min(self.cursor, len(self.tokens))

    @property
    def prefix(self) -> Text:
        return [4, *self.tokens[: self.cursor]]

    @property
    def suffix(self) -> Text:
        return [4, *reversed(self.tokens[self.cursor :])]


def seen(prefix: Read, suffix: Read, before: int) -> Tensor:
    """What a blank canvas makes of two streams."""
    context = context_of(prefix, suffix, 1)
    canvas, before_BN = torch.full((1, 1, SLOTS), MASK), torch.tensor([[before]])
    hidden, every = MODEL.denoise(canvas, before_BN, context), torch.ones_like(canvas) > 0
    return MODEL.log_probs(hidden, context, every).exp()


def uncached(tokens: Text, direction: int) -> Read:
    """All of a stream, read anew in one go."""
    _, stream = MODEL.encode(torch.tensor([tokens]), torch.tensor([direction]))
    return Read(stream, torch.tensor([tokens]), len(tokens), len(tokens))


def assert_exact(cache: ContextCache, document: Document, done: Iterable[int] = ()) -> None:
    """What a canvas makes of the cache is what it makes of the document read anew."""
    prefix, suffix = [*document.prefix, *done], document.suffix
    cached = cache.read(prefix, PREFIX), cache.read(suffix, SUFFIX)
    fresh = uncached(prefix, PREFIX), uncached(suffix, SUFFIX)
    assert seen(*cached, prefix[-1]).allclose(seen(*fresh, prefix[-1]), atol=1e-4)


def encoded(cache: ContextCache, tokens: Text, direction: int = PREFIX) -> int:
    return cache.read(tokens, direction).encoded


@given(TOKENS, TOKENS, st.lists(EDITS, max_size=12))
@settings(max_examples=40, deadline=None)
@torch.inference_mode()
def test_cached_equals_uncached_after_any_edits(one: Text, two: Text, edits: list[Edit]) -> None:
    cache = ContextCache(READER, CAPACITY)
    documents = [Document([*one, *two]), Document([*two, *two, *one])]
    for kind, amount, typed in edits:
        if kind == "other document":
            documents.reverse()
        else:
            documents[0].edit(kind, amount, typed)
        assert_exact(cache, documents[0])


@given(TOKENS, st.lists(TOKENS, min_size=1, max_size=4))
@settings(max_examples=10, deadline=None)
@torch.inference_mode()
def test_cached_equals_uncached_block_after_block(text: Text, blocks: list[Text]) -> None:
    cache, document = ContextCache(READER, CAPACITY), Document([*text, 20, 21])
    done: Text = []
    for block in blocks:
        done += block
        assert_exact(cache, document, done)
    assert_exact(cache, document)  # the next keystroke: the blocks are gone again


@torch.inference_mode()
def test_only_what_is_new_is_encoded() -> None:
    cache, text = ContextCache(READER, CAPACITY), [4, *range(20, 50)]
    assert encoded(cache, text, PREFIX) == 31
    assert encoded(cache, text, PREFIX) == 0
    assert encoded(cache, [*text, 60], PREFIX) == 1
    assert encoded(cache, [*text[:-1], 61, 62], PREFIX) == 2
    assert encoded(cache, text[:20], PREFIX) == 0


@torch.inference_mode()
def test_an_edit_far_away_leaves_what_is_read_before_it() -> None:
    cache, text = ContextCache(READER, CAPACITY), [4, *range(20, 50)]
    cache.read(text, SUFFIX)
    assert encoded(cache, [*text[:25], 99, *text[25:]], SUFFIX) == 7


@torch.inference_mode()
def test_going_back_and_forth_between_documents_costs_nothing() -> None:
    cache = ContextCache(READER, CAPACITY)
    documents = [[4, *range(start, start + 20)] for start in (20, 60, 100)]
    for text in documents:
        cache.read(text, PREFIX)
        cache.read(text, SUFFIX)
    fresh = [encoded(cache, text, way) for text in documents for way in (PREFIX, SUFFIX)]
    assert fresh == [0] * 6


@torch.inference_mode()
def test_a_prefix_is_never_taken_for_a_suffix() -> None:
    cache, text = ContextCache(READER, CAPACITY), [4, *range(20, 30)]
    cache.read(text, PREFIX)
    assert encoded(cache, text, SUFFIX) == 11


@torch.inference_mode()
def test_the_cursor_may_go_up_and_come_back() -> None:
    cache, text = ContextCache(READER, CAPACITY), [4, *range(20, 50)]
    assert [encoded(cache, text[:end]) for end in (31, 9, 20, 31)] == [31, 0, 0, 0]
    assert encoded(cache, [*text[:9], 90]) == 1  # typed there: what was read beyond is gone
    assert encoded(cache, text[:16]) == 7


@torch.inference_mode()
def test_what_is_kept_is_bounded_in_bytes_and_what_is_longest_unused_goes_first() -> None:
    one = ContextCache(READER, CAPACITY)
    encoded(one, [4])
    limit_bytes = 4 * one.size_bytes
    cache = ContextCache(READER, CAPACITY, limit_bytes)
    documents = [[4, *range(start, start + 10)] for start in range(20, 100, 10)]
    for text in documents:
        encoded(cache, text)
        encoded(cache, documents[0])  # in use all the time
        assert cache.size_bytes <= limit_bytes
    assert encoded(cache, documents[0]) == 0
    assert encoded(cache, documents[-1]) == 0
    assert encoded(cache, documents[1]) == 11


@torch.inference_mode()
def test_what_a_canvas_looks_at_is_kept_whatever_the_limit() -> None:
    cache = ContextCache(READER, CAPACITY, limit_bytes=0)
    documents = [Document([*range(20, 30)]), Document([*range(40, 60)])]
    for document in documents:
        assert_exact(cache, document)
