"""Dream, DreamOn, DiffuCoder, Open-dCoder and a2d: loaded, looked through, sampled as published."""

import json
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from engine import families
from engine.canvas import Canvas
from engine.families import Model
from engine.families.full import FullAttention, FullLook
from engine.families.ids import OFFSET
from engine.infill import Engine
from engine.lengths import ExpandDelete
from engine.sampler import Limits, denoise
from engine.schedule import Quota, Rule, floored, rounded, singly
from engine.tokenizer import EOM, MASK
from engine.types import InfillRequest, Span, Suggestion
from tests.support import published_models as published
from tests.support.qwen_folders import (
    A2D_QWEN3,
    DREAM,
    DREAMON,
    END,
    FAMILIES,
    MASKED,
    Family,
    weights_in,
)
from tests.support.tiny_model import CPU

PREFIX, SUFFIX = b"def load_item(value):\n    return ", b"\n\nprint(load_item(3))\n"


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]


def loaded(folder: Path) -> Model:
    return families.load(folder, CPU)


@dataclass(frozen=True)
class Published:
    """A folder's model as its authors wrote it, and the sequence it is given."""

    folder: Path
    family: Family

    def logits(self, tokens: list[int]) -> Tensor:
        """float32 [T, V], each at the place of the token it predicts."""
        config = json.loads((self.folder / "config.json").read_text())
        weights = weights_in(self.folder)
        if config["tie_word_embeddings"]:
            weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
        logits_TV = published.llama(
            weights, config, torch.tensor(tokens), published.full(len(tokens))
        )
        if not self.family.shifted:
            return logits_TV
        return torch.cat([logits_TV[:1], logits_TV[:-1]])

    def frame(self, model: Model) -> tuple[list[int], list[int]]:
        """What stands before and behind the hole."""
        prefix = [i - OFFSET for i in model.traits.tokenizer.encode(PREFIX)]
        suffix = [i - OFFSET for i in model.traits.tokenizer.encode(SUFFIX)]
        if not self.family.opening:
            return prefix, suffix
        return [self.family.id(self.family.opening), *prefix], [*suffix, self.family.id(END)]


def look_of(model: Model) -> Any:
    return model.read(*model.streams("python", PREFIX, SUFFIX), []).look


def test_log_probabilities_are_those_of_the_published_model(family: Family, tmp_path: Path) -> None:
    model = loaded(family.write(tmp_path))
    own = Published(tmp_path, family)
    before, behind = own.frame(model)
    rows = [[MASK, 50, MASK, MASK, 60], [MASK, 70, EOM, EOM, EOM]]
    tokens_NC = torch.tensor(rows)
    wanted_NC = tokens_NC != EOM
    found_PV = look_of(model)(tokens_NC, wanted_NC)
    expected: list[Tensor] = []
    for row in rows:
        middle = [family.id(family.mask) if t == MASK else t - OFFSET for t in row if t != EOM]
        logits_TV = own.logits([*before, *middle, *behind])
        expected.append(logits_TV[len(before) : len(before) + len(middle)])
    expected_PV = torch.log_softmax(torch.cat(expected), -1)
    torch.testing.assert_close(found_PV[:, OFFSET:], expected_PV, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found_PV[:, EOM], expected_PV[:, family.id(END)])


@pytest.mark.parametrize("norms", [False, True])
def test_logits_are_those_of_transformers(norms: bool, tmp_path: Path) -> None:
    import transformers

    family = A2D_QWEN3 if norms else DREAM
    folder = family.write(tmp_path)
    model = loaded(folder)
    config = json.loads((folder / "config.json").read_text())
    del config["architectures"]
    kind = "Qwen3" if norms else "Qwen2"
    theirs = getattr(transformers, f"{kind}ForCausalLM")(
        getattr(transformers, f"{kind}Config")(**config)
    ).eval()
    theirs.load_state_dict(weights_in(folder), strict=False)
    theirs.tie_weights()
    before, behind = Published(folder, family).frame(model)
    tokens = [*before, family.id(family.mask), 44, family.id(family.mask), *behind]
    size = len(tokens)
    with torch.no_grad():
        logits_TV = theirs(
            torch.tensor([tokens]), attention_mask=torch.zeros(1, 1, size, size)
        ).logits[0]
    first = len(before) - (1 if family.shifted else 0)
    expected_PV = torch.log_softmax(logits_TV[[first, first + 2]], -1)
    row_NC = torch.tensor([[MASK, OFFSET + 44, MASK]])
    found_PV = look_of(model)(row_NC, row_NC == MASK)
    torch.testing.assert_close(found_PV[:, OFFSET:], expected_PV, atol=1e-4, rtol=1e-4)


def cached_look(model: FullAttention, refresh_every: int) -> FullLook:
    prefix, suffix = model.streams("python", PREFIX, SUFFIX)
    model.refresh_every = refresh_every
    look = model.read(prefix, suffix, []).look
    assert isinstance(look, FullLook)
    return look


def test_a_cache_that_is_refreshed_every_time_is_none(family: Family, tmp_path: Path) -> None:
    model = loaded(family.write(tmp_path))
    assert isinstance(model, FullAttention)
    always, seldom = cached_look(model, 1), cached_look(model, 4)
    canvases = [torch.tensor([[MASK] * 4, [MASK, 50, EOM, EOM]])]
    canvases += [
        torch.tensor([[MASK, place, MASK, 70], [80, place, EOM, EOM]]) for place in (20, 90)
    ]
    for step, tokens_NC in enumerate(canvases):
        wanted_NC = tokens_NC != EOM
        fresh_PV = look_of(model)(tokens_NC, wanted_NC)
        torch.testing.assert_close(always(tokens_NC, wanted_NC), fresh_PV)
        stale_PV = seldom(tokens_NC, wanted_NC)
        assert torch.allclose(stale_PV, fresh_PV, atol=1e-5) == (step == 0)


def steps_of(
    model: Model, rule: Rule, slots: int, lengths: ExpandDelete | None = None
) -> list[list[int]]:
    """The row after each pass, in the family's ids; the mask as -1."""
    vocabulary = model.traits.vocabulary
    resize = lengths.resize(max_lines=1) if lengths else None
    start = slots if lengths is None else 4
    forbidden_V = vocabulary.specials_V.clone()
    if resize:
        forbidden_V &= ~resize.spelled_V
    canvas = Canvas.blank([start], slots, CPU.device)
    found: list[list[int]] = []
    for state in denoise(
        look_of(model), canvas, rule, Limits(forbidden_V), torch.Generator(), resize
    ):
        row: list[int] = state.tokens_NC[0, : state.length(0)].tolist()
        found.append([-1 if token == MASK else token - OFFSET for token in row])
    return found


def spoken(model: Model, logits_TV: Tensor, also: tuple[int, ...] = ()) -> Tensor:
    """Probabilities with the tokens left out that stand for no text."""
    banned_V = model.traits.vocabulary.specials_V[OFFSET:].clone()
    banned_V[list(also)] = False
    return torch.softmax(logits_TV.masked_fill(banned_V, float("-inf")), -1)


def neg_entropy(probs_TV: Tensor) -> Tensor:
    return (probs_TV * torch.log(probs_TV + 1e-10)).sum(-1)


def published_masked(
    own: Published, model: Model, slots: int, steps: int, shares: str
) -> list[list[int]]:
    """Dream's `_sample` with alg "entropy", and dllm's MDLM sampler, at temperature 0."""
    before, behind = own.frame(model)
    mask = own.family.id(own.family.mask)
    middle, times, found = [mask] * slots, torch.linspace(1, 1e-3, steps + 1), list[list[int]]()
    for step in range(steps):
        masked = [place for place, token in enumerate(middle) if token == mask]
        if not masked:
            break
        logits_TV = own.logits([*before, *middle, *behind])[len(before) :][:slots]
        probs_TV = spoken(model, logits_TV)
        sure_T = neg_entropy(probs_TV) if shares == "dream" else probs_TV.amax(-1)
        if step == steps - 1:
            count = len(masked)
        elif shares == "dream":
            count = int(len(masked) * (1 - times[step + 1] / times[step]))
        else:
            count = round(len(masked) / (steps - step))
        for place in sorted(masked, key=lambda p: -float(sure_T[p]))[:count]:
            middle[place] = int(probs_TV[place].argmax())
        found.append([-1 if token == mask else token for token in middle])
    return found


@pytest.mark.parametrize(
    ("name", "quota", "steps"),
    [("dream", floored, 5), ("diffucoder", floored, 12), ("a2d-qwen2", rounded, 5)],
)
def test_a_hole_is_denoised_as_published(
    name: str, quota: Quota, steps: int, tmp_path: Path
) -> None:
    family = FAMILIES[name]
    model = loaded(family.write(tmp_path))
    assert model.traits.rule.quota is quota
    rule = replace(model.traits.rule, passes=steps, confident=2.0)
    shares = "dream" if family.shifted else "dllm"
    expected = published_masked(Published(tmp_path, family), model, 12, steps, shares)
    assert without_cache(model, rule, 12) == expected


def published_plan(own: Published, model: Model, slots: int, steps: int) -> list[list[int]]:
    """Open-dCoder's `_mdm_sample` with its default alg "p2", at temperature 0.

    github.com/pengzhangzhi/Open-dLLM, veomni/models/transformers/qwen2/generation_utils.py
    """
    before, behind = own.frame(model)
    mask = own.family.id(own.family.mask)
    middle, found = [mask] * slots, list[list[int]]()
    for step in range(steps):
        if mask not in middle:
            break
        logits_TV = own.logits([*before, *middle, *behind])[len(before) :][:slots]
        sure, best = (part.tolist() for part in spoken(model, logits_TV).max(-1))
        masked = int(slots * (1 - (step + 1) / steps))
        again = sorted(range(slots), key=lambda place: sure[place])[:masked]
        for place, token in enumerate(middle):
            if place in again:
                middle[place] = mask
            elif token == mask:
                middle[place] = best[place]
        found.append([-1 if token == mask else token for token in middle])
    return found


@pytest.mark.parametrize("steps", [5, 16])
def test_open_dcoder_plans_its_path_as_published(steps: int, tmp_path: Path) -> None:
    family = FAMILIES["open-dcoder"]
    model = loaded(family.write(tmp_path))
    assert model.traits.rule.planned
    rule = replace(model.traits.rule, passes=steps, confident=2.0)
    expected = published_plan(Published(tmp_path, family), model, 12, steps)
    gone = [
        place
        for step, next_step in pairwise(expected)
        for place in range(12)
        if step[place] != -1 and next_step[place] == -1
    ]
    assert gone  # it does take back what it wrote
    assert without_cache(model, rule, 12) == expected


def without_cache(model: Model, rule: Rule, slots: int, lengths: Any = None) -> list[list[int]]:
    assert isinstance(model, FullAttention)
    model.refresh_every = 1
    return steps_of(model, rule, slots, lengths)


def published_dreamon(own: Published, model: Model, cap: int, steps: int) -> list[list[int]]:
    """DreamOn's `batch_generate_with_expand_as_token` at temperature 0, one token a step."""
    before, behind = own.frame(model)
    mask, end, expand = (own.family.id(name) for name in (MASKED, END, "<|expand|>"))
    middle, found = [mask] * 4, list[list[int]]()
    for _ in range(steps):
        masked = [place for place, token in enumerate(middle) if token == mask]
        if not masked:
            break
        logits_TV = own.logits([*before, *middle, *behind])[len(before) :][: len(middle)]
        if len(middle) == cap:
            logits_TV[:, expand] -= 1e9
        probs_TV = spoken(model, logits_TV, (end, expand))
        sure_T = neg_entropy(probs_TV)
        place = max(masked, key=lambda p: float(sure_T[p]))
        middle[place] = int(probs_TV[place].argmax())
        if end in middle:
            first = middle.index(end)
            middle = [
                end if place > first and token == mask else token
                for place, token in enumerate(middle)
            ]
        middle = [t for token in middle for t in ([mask, mask] if token == expand else [token])]
        middle = [token for token in middle if token != end]
        found.append([-1 if token == mask else token for token in middle])
    return found


@pytest.mark.parametrize("favoured", ["<|expand|>", END, None])
def test_dreamon_grows_and_shrinks_a_hole_as_published(
    favoured: str | None, tmp_path: Path
) -> None:
    folder = DREAMON.write(tmp_path)
    if favoured:  # a random model writes neither: let one be likelier
        weights = weights_in(folder)
        for file in folder.glob("*.safetensors"):
            file.unlink()
        weights["lm_head.weight"][DREAMON.id(favoured)] *= -4 if favoured == END else 4
        (folder / "model.safetensors.index.json").unlink()
        save_file(weights, folder / "model.safetensors")
    model = loaded(folder)
    lengths = model.traits.lengths
    assert isinstance(lengths, ExpandDelete)
    rule = replace(model.traits.rule, confident=2.0)
    assert rule.quota is singly
    expected = published_dreamon(Published(folder, DREAMON), model, 10, rule.passes)
    assert {len(row) for row in expected} != {4} or favoured is None
    assert without_cache(model, rule, 10, lengths) == expected


def test_a_hole_is_filled_through_the_whole_engine(family: Family, tmp_path: Path) -> None:
    engine = Engine(loaded(family.write(tmp_path)))
    hole = Span(len(PREFIX), len(PREFIX))
    request = InfillRequest(PREFIX + SUFFIX, hole, "python", budget_ms=600_000.0)
    *_, last = engine.infill(request)
    assert isinstance(last, Suggestion)
    assert engine.info.checksum
    given = replace(request, language="plaintext", length_tokens=5)
    *_, last = engine.infill(given)
    assert isinstance(last, Suggestion)
    assert last.text.strip()
    assert "\n" not in last.text


def test_a_special_that_the_text_spells_is_text(family: Family, tmp_path: Path) -> None:
    tokenizer = loaded(family.write(tmp_path)).traits.tokenizer
    text = f"x = '{family.mask}{END}' # \u00e9\u00df\U0001f600".encode()
    assert tokenizer.decode(tokenizer.encode(text)) == text
