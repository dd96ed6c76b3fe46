"""The denoiser: what it sees, and that training and serving see the same."""

import pytest
import torch
from torch import Tensor

from engine.inference import Inference
from engine.kv_cache import PREFIX, SUFFIX, ContextCache, context_of
from engine.model import Context, Denoiser, DenoiserConfig, Sight, Stream
from engine.pointer import mixed_nats
from engine.tokenizer import EOM, FILE, MASK, SPECIALS
from engine.train.data import Batch
from engine.train.loss import trunk
from tests.support.tiny_model import tiny_denoiser, tiny_tokenizer

SLOTS = 5


def tokens(count: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    span = (len(SPECIALS), tiny_tokenizer().size)
    return torch.randint(*span, (count,), generator=generator).tolist()


def read(model: Denoiser, row: list[int], direction: int) -> Stream:
    return model.encode(torch.tensor([row]), torch.tensor([direction]))[1]


def seen(model: Denoiser, canvas_NC: Tensor, prefix: list[int], suffix: list[int]) -> Tensor:
    """Log-probabilities [N, C, V] of canvases that see all of both streams."""
    shape = (1, len(canvas_NC))
    sight = Sight(torch.full(shape, len(prefix)), torch.full(shape, len(suffix)))
    before_BN = torch.full(shape, prefix[-1])
    context = whole(model, prefix, suffix, sight)
    hidden, every = model.denoise(canvas_NC[None], before_BN, context), canvas_NC[None] >= 0
    return model.log_probs(hidden, context, every).unflatten(0, canvas_NC.shape)


def whole(model: Denoiser, prefix: list[int], suffix: list[int], sight: Sight) -> Context:
    return Context(
        read(model, prefix, PREFIX),
        read(model, suffix, SUFFIX),
        torch.tensor([prefix]),
        torch.tensor([suffix]),
        sight,
    )


@torch.no_grad()
def test_a_canvas_sees_both_streams_and_all_its_slots() -> None:
    model = tiny_denoiser()
    prefix, suffix = tokens(6, seed=1), tokens(7, seed=2)
    blank = torch.full((1, SLOTS), MASK)
    plain = seen(model, blank, prefix, suffix)
    for place in range(6):
        changed = [*prefix[:place], prefix[place] - 1, *prefix[place + 1 :]]
        assert not seen(model, blank, changed, suffix).allclose(plain, atol=1e-4)
    for place in range(7):
        changed = [*suffix[:place], suffix[place] - 1, *suffix[place + 1 :]]
        assert not seen(model, blank, prefix, changed).allclose(plain, atol=1e-4)
    for slot in range(SLOTS):
        told = blank.index_fill(1, torch.tensor([slot]), 50)
        changes = (seen(model, told, prefix, suffix) - plain).abs().amax(-1)[0]
        assert (changes > 1e-4).all()


@torch.no_grad()
def test_context_sees_only_what_was_read_before_it() -> None:
    model, row = tiny_denoiser(), tokens(8, seed=1)
    for direction in (PREFIX, SUFFIX):
        hidden, _ = model.encode(torch.tensor([row]), torch.tensor([direction]))
        changed, _ = model.encode(torch.tensor([[*row[:5], 40, 41, 42]]), torch.tensor([direction]))
        assert changed[:, :5].allclose(hidden[:, :5], atol=1e-5)
        assert not changed[:, 5:].allclose(hidden[:, 5:], atol=1e-2)


@torch.no_grad()
def test_the_two_directions_are_told_apart() -> None:
    model, row = tiny_denoiser(), torch.tensor([tokens(4, seed=1)] * 2)
    hidden, _ = model.encode(row, torch.tensor([PREFIX, SUFFIX]))
    assert not hidden[0].allclose(hidden[1], atol=1e-2)


@torch.no_grad()
def test_what_lies_beyond_its_sight_does_not_change_what_a_canvas_predicts() -> None:
    model = tiny_denoiser()
    canvas = torch.full((1, 1, SLOTS), MASK)
    sight = Sight(torch.tensor([[5]]), torch.tensor([[4]]))
    found: list[Tensor] = []
    for ending in (tokens(6, seed=3), tokens(6, seed=4), []):
        prefix, suffix = tokens(5, seed=1) + ending, tokens(4, seed=2) + ending
        context = whole(model, prefix, suffix, sight)
        hidden = model.denoise(canvas, torch.tensor([[7]]), context)
        found.append(model.log_probs(hidden, context, canvas >= 0))
    assert found[1].allclose(found[0], atol=1e-5)
    assert found[2].allclose(found[0], atol=1e-5)


@torch.no_grad()
def test_rows_do_not_see_each_other() -> None:
    model, prefix, suffix = tiny_denoiser(), tokens(6, seed=1), tokens(3, seed=2)
    rows = torch.tensor(
        [[MASK] * SLOTS, [30, MASK, 31, EOM, EOM], [MASK, MASK, EOM, EOM, EOM], [40] * SLOTS]
    )
    together = seen(model, rows, prefix, suffix)
    for index in range(len(rows)):
        alone = seen(model, rows[index : index + 1], prefix, suffix)
        assert alone[0].allclose(together[index], atol=1e-4)


def one_chunk(holes: list[tuple[int, int]]) -> tuple[Batch, list[int]]:
    """A chunk of 24 tokens with these holes, and all of its text; the suffix begins 3 later."""
    whole_text, shift = tokens(27, seed=1), 3
    whole_text[9] = FILE
    text = whole_text[:24]
    content = torch.tensor([(text[a:b] + [EOM] * SLOTS)[:SLOTS] for a, b in holes])
    batch = Batch(
        tags_B=torch.tensor([tiny_tokenizer().tag("python")]),
        tokens_BT=torch.tensor([text]),
        behind_BT=torch.tensor([whole_text[shift:]]),
        shift_B=torch.tensor([shift]),
        start_BN=torch.tensor([[a for a, _ in holes]]),
        end_BN=torch.tensor([[b for _, b in holes]]),
        content_BNC=content[None],
        used_BN=torch.ones(1, len(holes), dtype=torch.bool),
    )
    return batch, whole_text


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@torch.no_grad()
def test_attention_in_one_kernel_is_the_same() -> None:
    batch, _ = one_chunk([(0, 4), (7, 7), (10, 15), (24, 24)])
    canvas_BNC = torch.where(torch.arange(SLOTS) % 3 == 0, MASK, batch.content_BNC)
    plain, fused = (trunk(tiny_denoiser(), batch, canvas_BNC, fused=each) for each in (False, True))
    assert fused.canvas_BNCD.allclose(plain.canvas_BNCD, atol=1e-4)


@torch.no_grad()
def test_training_and_serving_see_a_hole_alike() -> None:
    model = tiny_denoiser()
    holes = [(0, 4), (0, 24), (7, 7), (10, 15), (20, 24), (24, 24)]
    batch, whole_text = one_chunk(holes)
    tag, text, content = int(batch.tags_B[0]), whole_text[:24], batch.content_BNC[0]
    canvas = torch.where(torch.arange(SLOTS) % 2 == 0, MASK, content)
    trained = trunk(model, batch, canvas[None])
    assert trained.copies
    cache = ContextCache(Inference(model), 64)
    for index, (start, end) in enumerate(holes):
        prefix = cache.read([tag, *text[:start]], PREFIX)
        suffix = cache.read([tag, *reversed(whole_text[end:])], SUFFIX)
        context = context_of(prefix, suffix, 1)
        before = torch.tensor([[[tag, *text][start]]])
        row = canvas[None, index : index + 1]
        served = model.denoise(row, before, context)
        assert served[0, 0].allclose(trained.canvas_BNCD[0, index], atol=1e-4), (start, end)
        nats = mixed_nats(
            model.logits(served)
            .log_softmax(-1)
            .gather(-1, content[None, [index], :, None])[..., 0],
            trained.copies.canvas_BNC[:, [index]],
            trained.copies.canvas_odds_BNC[:, [index]],
        )
        expected_PV = model.log_probs(served, context, row >= 0)
        expected_P = expected_PV.gather(-1, content[index][:, None])[:, 0]
        assert nats[0, 0].allclose(expected_P, atol=1e-4), (start, end)


@torch.no_grad()
def test_streams_predict_the_token_read_next_in_training() -> None:
    model, text, tag = tiny_denoiser(), tokens(12, seed=1), tiny_tokenizer().tag("go")
    batch = Batch(
        tags_B=torch.tensor([tag]),
        tokens_BT=torch.tensor([text]),
        behind_BT=torch.tensor([text]),
        shift_B=torch.tensor([0]),
        start_BN=torch.tensor([[3]]),
        end_BN=torch.tensor([[5]]),
        content_BNC=torch.full((1, 1, SLOTS), EOM),
        used_BN=torch.ones(1, 1, dtype=torch.bool),
    )
    streams = trunk(model, batch, torch.full((1, 1, SLOTS), MASK)).streams_BTD
    for row, direction, order in ((0, PREFIX, text), (1, SUFFIX, text[::-1])):
        hidden, _ = model.encode(torch.tensor([[tag, *order]]), torch.tensor([direction]))
        assert streams[row].allclose(hidden[0], atol=1e-4)


@pytest.mark.parametrize(
    "shape", [{"width": 30, "heads": 4}, {"width": 12, "heads": 4}, {"heads": 4, "kv_heads": 3}]
)
def test_shapes_that_do_not_divide_are_refused(shape: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="heads"):
        DenoiserConfig(**({"vocabulary": 300} | shape))  # pyright: ignore[reportArgumentType]
