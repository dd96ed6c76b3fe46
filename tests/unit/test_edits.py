"""Deleting and inserting while a row is filled: LLaDA2.2's steps, whatever a model says."""

import random
from dataclasses import replace

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.canvas import Canvas
from engine.edits import STEPS, Levenshtein
from engine.families.ids import OFFSET, engine_log_probs
from engine.sampler import Limits, denoise
from engine.schedule import Rule, singly
from engine.tokenizer import EOM, MASK
from engine.vocabulary import Vocabulary
from tests.support.published_samplers import levenshtein

TEXT = 4
MASK_ID, DELETE, INSERT = TEXT, TEXT + 1, TEXT + 2
OWN = TEXT + 3
BLOCK, POLISH = 8, 16
VOCABULARY = Vocabulary([b"", b"", *[b"x"] * TEXT], OFFSET + OWN, torch.device("cpu"))
LENGTHS = Levenshtein(OFFSET + DELETE, OFFSET + INSERT, VOCABULARY)
RULE = Rule(
    confident=0.5,
    remask_limit=0,
    passes=STEPS + POLISH,
    lengths=1,
    guesses=0,
    quota=singly,
    rewrite=0.0,
    polish=POLISH,
)


class Whim:
    """A model whose word is drawn anew for each text, the same for the same."""

    def __init__(self, seed: int, fondness: float, sharpness: float) -> None:
        self._seed, self._fondness, self._sharpness = seed, fondness, sharpness

    def logits(self, tokens_T: Tensor) -> Tensor:
        drawn = random.Random(f"{self._seed} {tokens_T.tolist()}").getrandbits(32)
        noise = torch.Generator().manual_seed(drawn)
        logits_TV = self._sharpness * torch.randn((len(tokens_T), OWN), generator=noise)
        logits_TV[:, [DELETE, INSERT]] += self._fondness
        return logits_TV

    def look(self, tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        rows = [self.logits(own(row_C)) for row_C in tokens_NC]
        return engine_log_probs(torch.stack(rows)[wanted_NC], 0)


def own(tokens_C: Tensor) -> Tensor:
    return torch.where(tokens_C == MASK, MASK_ID, tokens_C - OFFSET)


def steps(whim: Whim, canvas: Canvas, rule: Rule = RULE) -> list[list[int]]:
    resize = LENGTHS.resize(max_lines=9)
    limits = Limits(VOCABULARY.specials_V & ~resize.spelled_V)
    passes = denoise(whim.look, canvas, rule, limits, torch.Generator(), resize)
    return [own(each.tokens_NC[0]).tolist() for each in passes]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.floats(-2, 3), st.sampled_from([0.3, 1.0, 5.0]))
def test_every_step_is_the_published_one(seed: int, fondness: float, sharpness: float) -> None:
    whim = Whim(seed, fondness, sharpness)
    found = steps(whim, Canvas.blank([BLOCK], BLOCK, torch.device("cpu")))
    expected = levenshtein(
        whim.logits, [MASK_ID] * BLOCK, MASK_ID, BLOCK, (DELETE, INSERT), RULE.passes, [MASK_ID]
    )
    assert found == list(expected)
    assert not {MASK_ID, DELETE, INSERT} & {*found[-1]}


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, BLOCK - 1))
def test_a_row_keeps_its_length_and_what_is_known_of_it(seed: int, length: int) -> None:
    canvas = Canvas.blank([length], BLOCK, torch.device("cpu"))
    for _ in denoise(
        Whim(seed, 2.0, 1.0).look,
        canvas,
        replace(RULE, passes=12),
        Limits(VOCABULARY.specials_V & ~LENGTHS.resize(9).spelled_V),
        torch.Generator(),
        LENGTHS.resize(9),
    ):
        assert canvas.length(0) == length
        assert (canvas.tokens_NC[0, length:] == EOM).all()
        assert torch.equal(canvas.tokens_NC == MASK, canvas.masked_NC)
        assert (canvas.nats_NC[~canvas.filled_NC & ~canvas.known_NC] == 0).all()
    assert not canvas.masked_NC.any()


def test_a_row_that_others_began_is_not_edited() -> None:
    canvas = Canvas.blank([BLOCK], BLOCK, torch.device("cpu"))
    given_ids = [OFFSET, MASK, OFFSET + 1, MASK, MASK, OFFSET + 2, OFFSET + 3, MASK]
    canvas.seed(0, given_ids)
    *_, last = steps(Whim(1, 9.0, 1.0), canvas)
    assert [last[0], last[2], last[5], last[6]] == [0, 1, 2, 3]
