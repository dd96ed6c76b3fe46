"""The canvas: what is known stays, what is filled may be masked again."""

import math

import pytest
import torch
from torch import Tensor

from engine.canvas import ALTERNATIVES, Canvas
from engine.tokenizer import EOM, MASK

CPU = torch.device("cpu")


def log_probs(best: list[int], vocabulary: int = 20) -> Tensor:
    """Log-probabilities [X, V] in which each token has half of the mass."""
    chances = torch.full((len(best), vocabulary), 0.5 / (vocabulary - 1))
    return chances.scatter(1, torch.tensor(best)[:, None], 0.5).log()


def filled(tokens: list[int]) -> Canvas:
    """A canvas of one row, six slots, these tokens filled in."""
    canvas = Canvas.blank([len(tokens)], 6, CPU)
    canvas.unmask(canvas.masked_NC, torch.tensor(tokens), log_probs(tokens))
    return canvas


def test_a_blank_canvas_is_masked_up_to_its_length_and_known_from_there() -> None:
    canvas = Canvas.blank([2, 0, 4], 4, CPU)
    assert canvas.tokens_NC.tolist() == [
        [MASK, MASK, EOM, EOM],
        [EOM] * 4,
        [MASK] * 4,
    ]
    assert torch.equal(canvas.known_NC, ~canvas.masked_NC)
    assert not canvas.filled_NC.any()
    assert [canvas.length(row) for row in range(3)] == [2, 0, 4]


def test_unmasking_writes_chosen_places_alone_and_remembers_why() -> None:
    canvas = Canvas.blank([3], 4, CPU)
    chosen = torch.tensor([[True, False, True, False]])
    canvas.unmask(chosen, torch.tensor([11, 13]), log_probs([11, 15]))
    assert canvas.tokens_NC.tolist() == [[11, MASK, 13, EOM]]
    assert torch.equal(canvas.filled_NC, chosen)
    assert canvas.nats_NC[0].tolist() == pytest.approx([math.log(0.5), 0, math.log(0.5 / 19), 0])
    best = [choices[0] for choices in canvas.lattice().candidates if choices]
    assert best == [(11, pytest.approx(math.log(0.5))), (15, pytest.approx(math.log(0.5)))]


def test_revoking_masks_again_and_is_counted() -> None:
    canvas = filled([11, 12])
    canvas.revoke(torch.tensor([[False, True, False, False, False, False]]))
    assert canvas.tokens_NC[0, :2].tolist() == [11, MASK]
    assert canvas.masked_NC[0].nonzero().flatten().tolist() == [1]
    assert canvas.revoked_NC[0].tolist() == [0, 1, 0, 0, 0, 0]


def test_a_remasked_copy_leaves_the_original_and_its_known_slots() -> None:
    canvas = filled([11, 12, 13])
    copy = canvas.remasked({1, 4})
    assert copy.tokens_NC[0].tolist() == [11, MASK, 13, EOM, EOM, EOM]
    assert canvas.tokens_NC[0].tolist() == [11, 12, 13, EOM, EOM, EOM]
    copy.unmask(copy.masked_NC, torch.tensor([19]), log_probs([19]))
    assert canvas.tokens_NC[0, 1] == 12


def test_nothing_is_remasked_where_nothing_is_to_blame() -> None:
    copy = filled([11, 12]).remasked(set())
    assert not copy.masked_NC.any()


def test_a_row_is_a_canvas_of_its_own() -> None:
    canvas = Canvas.blank([1, 3], 4, CPU)
    row = canvas.row(1)
    canvas.unmask(canvas.masked_NC, torch.full((4,), 11), log_probs([11] * 4))
    assert row.tokens_NC.tolist() == [[MASK, MASK, MASK, EOM]]


def test_the_lattice_holds_the_hole_and_not_what_is_behind_it() -> None:
    lattice = filled([11, 12, 13]).lattice()
    assert lattice.tokens == [11, 12, 13]
    assert [len(choices) for choices in lattice.candidates] == [ALTERNATIVES] * 3
    assert [choices[0][0] for choices in lattice.candidates] == [11, 12, 13]
    assert all(sorted(c, key=lambda pair: -pair[1]) == c for c in lattice.candidates)


def test_the_mean_is_over_the_hole() -> None:
    assert filled([11, 12]).mean_nats(0) == pytest.approx(math.log(0.5))
    assert Canvas.blank([0], 4, CPU).mean_nats(0) == 0


def test_a_guess_fills_its_row_and_may_be_taken_back() -> None:
    canvas = Canvas.blank([2, 2], 4, CPU)
    canvas.seed(1, [11, 12])
    assert canvas.tokens_NC.tolist() == [[MASK, MASK, EOM, EOM], [11, 12, EOM, EOM]]
    assert canvas.filled_NC.tolist() == [[False] * 4, [True, True, False, False]]
    with pytest.raises(ValueError, match="3 tokens for a row of 2"):
        canvas.seed(0, [11, 12, 13])


def test_a_guess_may_leave_places_masked() -> None:
    canvas = Canvas.blank([3], 4, CPU)
    canvas.seed(0, [11, MASK, 13])
    assert canvas.masked_NC.tolist() == [[False, True, False, False]]
    assert canvas.filled_NC.tolist() == [[True, False, True, False]]


def test_judging_weighs_what_is_filled_and_writes_no_token() -> None:
    canvas = filled([11, 12])
    canvas.judge(canvas.filled_NC, log_probs([11, 15]))
    assert canvas.tokens_NC[0].tolist() == [11, 12, EOM, EOM, EOM, EOM]
    assert canvas.nats_NC[0].tolist() == pytest.approx(
        [math.log(0.5), math.log(0.5 / 19), 0, 0, 0, 0]
    )
    assert canvas.lattice().candidates[1][0][0] == 15
