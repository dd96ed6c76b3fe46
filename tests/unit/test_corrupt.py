"""Noise on canvases."""

import pytest
import torch

from engine.tokenizer import EOM, MASK, SPECIALS
from engine.train.corrupt import Noised, corrupt

VOCABULARY = 60
LENGTHS = [0, 1, 3, 7, 8]
CONTENT = torch.tensor(
    [[[20 + slot if slot < length else EOM for slot in range(8)] for length in LENGTHS]] * 400
)
USED = torch.ones(CONTENT.shape[:2], dtype=torch.bool)


def noised(edit_rate: float = 0.0, seed: int = 0, used: torch.Tensor = USED) -> Noised:
    generator = torch.Generator().manual_seed(seed)
    return corrupt(CONTENT, used, edit_rate, VOCABULARY, generator)


def test_every_canvas_has_a_hidden_slot_and_hidden_slots_are_masks() -> None:
    found = noised()
    hidden = found.canvas_BNC == MASK
    assert hidden.any(-1).all()
    assert torch.equal(found.canvas_BNC[~hidden], CONTENT[~hidden])
    assert torch.equal(found.weight_BNC > 0, hidden)


def test_some_canvases_are_wholly_hidden_and_most_are_not() -> None:
    share = float((noised().canvas_BNC == MASK).all(-1).float().mean())
    assert 0.2 < share < 0.5


def test_half_of_the_slots_or_more_are_hidden_on_average() -> None:
    assert 0.5 < float((noised().canvas_BNC == MASK).float().mean()) < 0.75


def test_the_trailing_ends_of_a_canvas_weigh_as_much_as_one_token() -> None:
    found = noised()
    hidden, ends = found.canvas_BNC == MASK, CONTENT == EOM
    of_ends = (found.weight_BNC * ends).sum(-1)
    of_token = (found.weight_BNC * ~ends).amax(-1)
    both = (hidden & ends).any(-1) & (hidden & ~ends).any(-1)
    assert both.any()
    assert of_ends[both].allclose(of_token[both])


def test_the_less_is_hidden_the_more_a_slot_weighs_up_to_a_bound() -> None:
    weight = noised().weight_BNC[:, 4]  # no ends among these
    hidden = weight > 0
    each = weight.amax(-1)
    assert float(each.max()) <= 3
    assert float(each.min()) >= 1
    full = hidden.all(-1)
    assert float(each[~full].mean()) > float(each[full].mean())


def test_wrong_tokens_stand_only_in_visible_places_and_are_learned_from() -> None:
    found = noised(edit_rate=0.5)
    wrong = (found.canvas_BNC != CONTENT) & (found.canvas_BNC != MASK)
    visible_tokens = (found.canvas_BNC != MASK) & (CONTENT != EOM)
    assert 0.4 < float(wrong.sum() / visible_tokens.sum()) < 0.6
    assert not (wrong & (CONTENT == EOM)).any()
    assert int(found.canvas_BNC[wrong].min()) >= len(SPECIALS)
    assert int(found.canvas_BNC[wrong].max()) < VOCABULARY
    right = visible_tokens & ~wrong
    assert float(found.weight_BNC[wrong].min()) == 1
    assert 0 < float(found.weight_BNC[right].mean()) < 0.5


def test_without_edits_nothing_visible_is_wrong_or_learned_from() -> None:
    found = noised()
    visible = found.canvas_BNC != MASK
    assert torch.equal(found.canvas_BNC[visible], CONTENT[visible])
    assert float(found.weight_BNC[visible].sum()) == 0


@pytest.mark.parametrize("edit_rate", [0.0, 0.5])
def test_padding_is_not_learned_from(edit_rate: float) -> None:
    used = torch.arange(len(LENGTHS)).expand_as(USED) % 2 == 0
    weight = noised(edit_rate, used=used).weight_BNC
    assert float(weight[~used].sum()) == 0
    assert (weight[used].sum(-1) > 0).all()


def test_the_same_seed_hides_the_same() -> None:
    assert noised(0.2, seed=1).canvas_BNC.equal(noised(0.2, seed=1).canvas_BNC)
    assert not noised(0.2, seed=1).canvas_BNC.equal(noised(0.2, seed=2).canvas_BNC)
