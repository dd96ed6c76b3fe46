"""The loop: what it must never do, whatever the denoiser says."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.canvas import Canvas
from engine.sampler import Limits, Look, denoise, judge
from engine.schedule import Rule
from engine.tokenizer import EOM, MASK

CPU = torch.device("cpu")
VOCABULARY, SLOTS = 20, 6
SPECIALS = torch.arange(VOCABULARY) < 3
RULES = st.builds(
    Rule,
    confident=st.floats(0, 1.1),
    doubtful=st.floats(0, 1.1),
    remask_limit=st.integers(0, 3),
    passes=st.integers(1, 12),
    temperature=st.sampled_from([0.0, 1.0]),
    polish=st.integers(0, 2),
)
LENGTHS = st.lists(st.integers(0, SLOTS), min_size=1, max_size=3)


def fickle(seed: int, sharpness: float = 5.0) -> Look:
    """A denoiser that thinks something else at every look."""
    generator = torch.Generator().manual_seed(seed)

    def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        logits_NCV = torch.randn((*tokens_NC.shape, VOCABULARY), generator=generator)
        return torch.log_softmax(sharpness * logits_NCV[wanted_NC], -1)

    return look


def scripted(*looks: list[list[float]]) -> Look:
    """At each look, per slot, how probable token 10 is; all other tokens share the rest but 11."""
    script = iter(looks)

    def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        (chances,) = next(script)
        logits_CV = torch.full((SLOTS, VOCABULARY), -20.0)
        for slot, chance in enumerate(chances):
            logits_CV[slot, 10] = torch.tensor(chance).log()
            logits_CV[slot, 11] = torch.tensor(1 - chance).log()
        return logits_CV.expand(len(tokens_NC), -1, -1)[wanted_NC]

    return look


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("logit", [-30.0, 0.0, 3.0, 6.9, 9.0, 17.0, 30.0])
def test_what_is_not_forbidden_shares_all_the_probability(logit: float) -> None:
    best, other, barred = 10, 12, 11
    logits_V = torch.full((VOCABULARY,), -100.0)
    logits_V[[best, other]] = torch.tensor([0.75, 0.25]).log()
    logits_V[barred] = logit
    log_probs_V = torch.log_softmax(logits_V, -1)
    canvas = Canvas.blank([SLOTS], SLOTS, CPU)
    limits = Limits(SPECIALS | (torch.arange(VOCABULARY) == barred))

    def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        del tokens_NC
        return log_probs_V.expand(int(wanted_NC.sum()), -1).clone()

    list(denoise(look, canvas, Rule(passes=1), limits, noise()))
    assert (canvas.tokens_NC == best).all()
    assert canvas.nats_NC.exp().tolist()[0] == pytest.approx([0.75] * SLOTS, rel=1e-2)


@given(st.integers(0, 2**32), LENGTHS, RULES)
def test_known_places_never_change_and_every_masked_one_is_filled(
    seed: int, lengths: list[int], rule: Rule
) -> None:
    canvas = Canvas.blank(lengths, SLOTS, CPU)
    known_NC = canvas.known_NC.clone()
    for state in denoise(fickle(seed), canvas, rule, Limits(SPECIALS), noise()):
        assert torch.equal(state.known_NC, known_NC)
        assert (state.tokens_NC[known_NC] == EOM).all()
        assert torch.equal(state.tokens_NC == MASK, state.masked_NC)
    assert not canvas.masked_NC.any()
    assert (canvas.tokens_NC[~known_NC] >= 3).all()


@given(st.integers(0, 2**32), LENGTHS, RULES)
def test_each_place_is_revoked_a_bounded_number_of_times_in_bounded_passes(
    seed: int, lengths: list[int], rule: Rule
) -> None:
    canvas = Canvas.blank(lengths, SLOTS, CPU)
    passes = sum(1 for _ in denoise(fickle(seed), canvas, rule, Limits(SPECIALS), noise()))
    assert int(canvas.revoked_NC.max()) <= rule.remask_limit
    assert passes <= rule.passes
    assert not canvas.masked_NC.any()


def test_past_the_deadline_one_pass_fills_everything() -> None:
    canvas = Canvas.blank([2, SLOTS], SLOTS, CPU)
    limits = Limits(SPECIALS, deadline=0.0)
    assert len(list(denoise(fickle(0, 0.0), canvas, Rule(confident=1.1), limits, noise()))) == 1
    assert not canvas.masked_NC.any()


@given(st.integers(0, 2**32), RULES)
def test_forbidden_tokens_are_never_written(seed: int, rule: Rule) -> None:
    forbidden_V = SPECIALS | (torch.arange(VOCABULARY) % 2 == 0)
    canvas = Canvas.blank([SLOTS, 3], SLOTS, CPU)
    for state in denoise(fickle(seed), canvas, rule, Limits(forbidden_V), noise()):
        written = ~state.known_NC & ~state.masked_NC
        assert not forbidden_V[state.tokens_NC[written]].any()


@pytest.mark.parametrize(("chance", "again"), [(0.6, False), (0.999, True)])
def test_a_penalised_token_is_written_only_for_want_of_better(chance: float, again: bool) -> None:
    looks = scripted([[chance] * SLOTS])
    first = Canvas.blank([SLOTS], SLOTS, CPU)
    list(denoise(looks, first, Rule(confident=0.0), Limits(SPECIALS), noise()))
    tokens: list[int] = first.tokens_NC[0].tolist()
    second = Canvas.blank([SLOTS], SLOTS, CPU)
    limits = Limits(SPECIALS, list(enumerate(tokens)))
    list(denoise(scripted([[chance] * SLOTS]), second, Rule(confident=0.0), limits, noise()))
    assert (second.tokens_NC == first.tokens_NC).all().item() == again


def test_the_generator_yields_after_each_look() -> None:
    looks = [[[0.95, 0.6, 0.7, 0.6, 0.6, 0.6]], [[0.95, 0.6, 0.95, 0.7, 0.95, 0.95]], [[0.99] * 6]]
    canvas = Canvas.blank([SLOTS], SLOTS, CPU)
    steps = denoise(scripted(*looks), canvas, Rule(passes=9), Limits(SPECIALS), noise())
    masked = [state.masked_NC[0].nonzero().flatten().tolist() for state in steps]
    assert masked == [[1, 2, 3, 4, 5], [1, 3], []]


def test_a_caller_that_stops_pulling_stops_the_looks() -> None:
    looks = 0

    def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        nonlocal looks
        looks += 1
        return torch.zeros((*tokens_NC.shape, VOCABULARY))[wanted_NC]

    canvas = Canvas.blank([SLOTS], SLOTS, CPU)
    steps = denoise(look, canvas, Rule(), Limits(SPECIALS), noise())
    next(steps)
    next(steps)
    del steps
    assert looks == 2


def test_a_token_that_has_become_unlikely_is_taken_back_once() -> None:
    doubts = [0.01, *[0.6] * 5]
    looks = [[[0.95, *[0.6] * 5]], *[[doubts]] * 12]
    canvas = Canvas.blank([SLOTS], SLOTS, CPU)
    rule = Rule(passes=12)
    first = [
        state.tokens_NC[0, 0].item()
        for state in denoise(scripted(*looks), canvas, rule, Limits(SPECIALS), noise())
    ]
    assert first[:2] == [10, MASK]
    assert first[-1] == 11
    assert canvas.revoked_NC[0].tolist() == [1, 0, 0, 0, 0, 0]


def test_a_wrong_token_of_a_full_canvas_is_found_and_replaced() -> None:
    canvas = Canvas.blank([3], SLOTS, CPU)
    canvas.unmask(canvas.masked_NC, torch.tensor([10, 11, 10]), torch.zeros(3, VOCABULARY))
    look = scripted(*[[[1.0, 0.99, 1.0]]] * 3)
    drafts = [
        draft.tokens_NC[0, :3].tolist()
        for draft in denoise(look, canvas, Rule(passes=4, polish=2), Limits(SPECIALS), noise())
    ]
    assert drafts == [[10, MASK, 10], [10, 10, 10], [10, 10, 10]]


def test_a_canvas_with_nothing_masked_is_not_looked_at() -> None:
    canvas = Canvas.blank([0], SLOTS, CPU)
    assert list(denoise(scripted(), canvas, Rule(), Limits(SPECIALS), noise())) == []


@given(st.integers(0, 2**32))
def test_the_same_seed_draws_the_same_tokens(seed: int) -> None:
    drawn: list[list[int]] = []
    for _ in range(2):
        canvas = Canvas.blank([SLOTS], SLOTS, CPU)
        rule = Rule(temperature=1.0)
        list(denoise(fickle(1, 1.0), canvas, rule, Limits(SPECIALS), noise(seed)))
        drawn.append(canvas.tokens_NC[0].tolist())
    assert drawn[0] == drawn[1]


def test_with_temperature_seeds_differ_and_without_they_do_not() -> None:
    def texts(temperature: float) -> set[tuple[int, ...]]:
        found: set[tuple[int, ...]] = set()
        for seed in range(5):
            canvas = Canvas.blank([SLOTS], SLOTS, CPU)
            rule = Rule(temperature=temperature)
            list(denoise(fickle(1, 1.0), canvas, rule, Limits(SPECIALS), noise(seed)))
            found.add(tuple(canvas.tokens_NC[0].tolist()))
        return found

    assert len(texts(1.0)) > 1
    assert len(texts(0.0)) == 1


def test_places_that_are_filled_say_how_sure_the_denoiser_was() -> None:
    canvas = Canvas.blank([SLOTS], SLOTS, CPU)
    list(denoise(scripted([[0.75] * 6]), canvas, Rule(passes=1), Limits(SPECIALS), noise()))
    assert canvas.nats_NC.exp().allclose(torch.full((1, SLOTS), 0.75), atol=1e-4)
    nearly = [[token for token, _ in row[:2]] for row in canvas.lattice().candidates]
    assert nearly == [[10, 11]] * SLOTS


@given(st.lists(st.integers(0, SLOTS), min_size=1, max_size=3))
def test_a_token_is_judged_by_who_does_not_see_it(lengths: list[int]) -> None:
    canvas = Canvas.blank(lengths, SLOTS, CPU)
    for row, length in enumerate(lengths):
        canvas.seed(row, list(range(10, 10 + length)))
    shown: list[list[list[int]]] = []

    def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        """Sure of token 10 + slot where that is masked, of token 3 where it is seen."""
        shown.append(tokens_NC.tolist())
        honest_V = torch.arange(VOCABULARY) == torch.arange(10, 10 + SLOTS)[:, None]
        seen_V = torch.arange(VOCABULARY) == 3
        return 20.0 * torch.where((tokens_NC == MASK)[..., None], honest_V, seen_V)[wanted_NC]

    tokens_NC = canvas.tokens_NC.clone()
    judge(look, canvas, Limits(SPECIALS))
    assert len(shown) == (sum(lengths) > 0)
    assert torch.equal(canvas.tokens_NC, tokens_NC)
    assert (canvas.nats_NC > -1e-3).all()


def test_only_guesses_are_judged() -> None:
    canvas = Canvas.blank([2, 3], 4, CPU)
    canvas.seed(1, [10, 11, 12])
    masked_NC = canvas.masked_NC.clone()
    canvas.unmask(masked_NC, torch.tensor([13, 14]), torch.zeros(2, VOCABULARY))
    asked: list[int] = []

    def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        asked.append(int(wanted_NC.any(1).sum()))
        return torch.zeros(*tokens_NC.shape, VOCABULARY)[wanted_NC]

    judge(look, canvas, Limits(SPECIALS))
    assert asked == [2]  # the guess, once by either half
    assert (canvas.nats_NC[0] == 0).all()
    assert (canvas.nats_NC[1, :3] < 0).all()


def test_past_the_deadline_nothing_is_judged() -> None:
    canvas = Canvas.blank([3], 4, CPU)
    canvas.seed(0, [10, 11, 12])
    asked: list[Tensor] = []

    def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        asked.append(tokens_NC)
        return torch.zeros(*tokens_NC.shape, VOCABULARY)[wanted_NC]

    judge(look, canvas, Limits(SPECIALS, deadline=0.0))
    assert asked == []


def test_only_what_may_change_is_asked_for() -> None:
    canvas = Canvas.blank([3, 2, 2], 4, CPU)
    canvas.seed(1, [10, 11])
    canvas.seed(2, [10, MASK])
    asked: list[list[list[bool]]] = []

    def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        asked.append(wanted_NC.tolist())
        return torch.zeros(*tokens_NC.shape, VOCABULARY)[wanted_NC].log_softmax(-1)

    list(denoise(look, canvas, Rule(passes=1), Limits(SPECIALS), noise()))
    on, off = True, False
    assert asked == [[[on, on, on, off], [off] * 4, [off, on, off, off]]]


def test_the_last_pass_asks_for_nothing_but_what_is_still_masked() -> None:
    asked: list[list[int]] = []
    answers = scripted([[0.95, 0.6, 0.6, 0.6]], [[0.9] * 4])

    def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        asked.append(wanted_NC[0].nonzero()[:, 0].tolist())
        return answers(tokens_NC, wanted_NC)

    canvas = Canvas.blank([4], SLOTS, CPU)
    list(denoise(look, canvas, Rule(passes=2), Limits(SPECIALS), noise()))
    assert asked == [[0, 1, 2, 3], [2, 3]]


def test_a_guess_is_left_as_it_is() -> None:
    canvas = Canvas.blank([3, 3], 4, torch.device("cpu"))
    canvas.seed(1, [20, 21, 22])
    random = torch.Generator().manual_seed(0)

    def look(tokens_NC: Tensor, wanted_NC: Tensor) -> Tensor:
        return torch.randn(*tokens_NC.shape, 40, generator=random)[wanted_NC]

    rule = Rule(doubtful=0.9, remask_limit=9, passes=9)
    for _ in denoise(look, canvas, rule, Limits(torch.zeros(40, dtype=torch.bool)), random):
        assert canvas.tokens_NC[1].tolist() == [20, 21, 22, EOM]
