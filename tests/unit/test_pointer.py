"""The pointer: what it copies from, and that both ways to say a token add up."""

import torch
from torch import nn

from engine.model import Context, Denoiser, Sight
from engine.pointer import copied_nats, mixed, mixed_nats
from tests.support.tiny_model import tiny_denoiser

SLOTS = 3


def context(model: Denoiser, prefix: list[int], suffix: list[int], sight: Sight) -> Context:
    rows = torch.tensor([prefix]), torch.tensor([suffix])
    streams = [model.encode(row, torch.tensor([d]))[1] for d, row in enumerate(rows)]
    return Context(streams[0], streams[1], *rows, sight)


def wide_open(model: Denoiser) -> Denoiser:
    """A model that does nothing but copy."""
    assert model.pointer
    nn.init.zeros_(model.pointer.gate.weight)
    nn.init.constant_(model.pointer.gate.bias, 100.0)
    return model


@torch.no_grad()
def test_only_what_is_in_sight_is_copied() -> None:
    model = wide_open(tiny_denoiser())
    seen = context(
        model, [20, 21, 22, 23], [30, 31, 32], Sight(torch.tensor([[2]]), torch.tensor([[1]]))
    )
    hidden = model.denoise(torch.zeros(1, 1, SLOTS, dtype=torch.int64), torch.tensor([[21]]), seen)
    chances = model.log_probs(hidden, seen, torch.ones(1, 1, SLOTS) > 0).exp()
    assert chances[:, [20, 21, 30]].sum(-1).allclose(torch.ones(SLOTS), atol=1e-5)
    assert (chances[:, [20, 21, 30]] > 0).all()


@torch.no_grad()
def test_a_token_that_stands_twice_is_copied_from_both_places() -> None:
    scores, tokens = torch.tensor([[0.5, 0.2, 0.3]]).log(), torch.tensor([[7, 8, 7]])
    assert copied_nats(scores, tokens, torch.tensor([7])).exp().allclose(torch.tensor([0.8]))
    spread = mixed(torch.zeros(1, 10), scores, tokens, torch.tensor([100.0])).exp()
    assert spread[0, 7].allclose(torch.tensor(0.8))
    assert spread.sum().allclose(torch.tensor(1.0))


@torch.no_grad()
def test_one_token_and_the_whole_vocabulary_are_mixed_alike() -> None:
    draw = torch.Generator().manual_seed(0)
    logits, odds = torch.randn(4, 50, generator=draw), torch.randn(4, generator=draw)
    scores = torch.randn(4, 9, generator=draw)
    tokens = torch.randint(50, (4, 9), generator=draw)
    whole = mixed(logits, scores, tokens, odds)
    assert whole.exp().sum(-1).allclose(torch.ones(4))
    for token in range(50):
        target = torch.full((4,), token)
        own = logits.log_softmax(-1)[:, token]
        single = mixed_nats(own, copied_nats(scores, tokens, target), odds)
        assert single.allclose(whole[:, token], atol=1e-4)


@torch.no_grad()
def test_a_stream_copies_from_what_was_read_so_far() -> None:
    model = tiny_denoiser()
    assert model.pointer
    hidden, stream = model.encode(torch.tensor([[20, 21, 22, 23]]), torch.tensor([0]))
    weights = model.stream_scores(model.pointer, hidden, stream)[0].softmax(-1)
    assert weights.triu(1).count_nonzero() == 0
    assert (weights.tril() > 0).sum() == 10
    assert weights.sum(-1).allclose(torch.ones(4))


@torch.no_grad()
def test_copying_is_likelier_the_better_something_fits() -> None:
    pointer = tiny_denoiser().pointer
    assert pointer
    hidden, scores = torch.zeros(2, 32), torch.tensor([[0.0, 0.0], [0.0, 5.0]])
    poor, good = pointer.odds(hidden, scores)
    assert good > poor + 4
