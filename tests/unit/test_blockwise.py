"""Families that see in blocks: their logits, their sampling and their cache, as published."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine import families
from engine.canvas import Canvas
from engine.families.blockwise import Blockwise
from engine.families.ids import OFFSET, engine_ids
from engine.infill import Engine
from engine.sampler import Limits, denoise
from engine.tokenizer import MASK
from engine.types import Draft, InfillRequest, Span, Suggestion
from tests.support import published_models as models
from tests.support import published_samplers as samplers
from tests.support.hub_folders import (
    SIZES,
    SPARE,
    special,
    write_config,
    write_tokenizer,
    write_weights,
)
from tests.support.tiny_folders import (
    Shapes,
    drawn,
    llada2_shapes,
    llama_shapes,
    qwen3_moe_shapes,
)
from tests.support.tiny_model import CPU

END, MASK_ID, ROWS = special(0), special(1), special(5) + SPARE
CONFIG = {**SIZES, "vocab_size": ROWS, "eos_token_id": END}
PROMPT = ("<[fim-suffix]>", "<[fim-prefix]>", "<[fim-middle]>")
BANNED = range(special(0), ROWS)
FONDLY = 0.05
"""A random model is seldom surer that what it wrote should be another token."""
FONDNESS = 3.0
Logits = Callable[[Mapping[str, Tensor], Mapping[str, Any], Tensor, Tensor], Tensor]
Steps = Callable[[samplers.Logits, list[int]], Iterator[list[int]]]


@dataclass(frozen=True)
class Family:
    """A family's format, what its models compute, and how they are sampled."""

    config: Mapping[str, Any]
    shapes: Shapes
    specials: tuple[str, ...]
    block: int
    steps: Steps
    logits: Logits = models.llama
    confident: float | None = None
    rewrite: float | None = None
    edits: tuple[int, ...] = ()
    weights: dict[str, Tensor] = field(default_factory=dict[str, Tensor])

    def write(self, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        self.weights.update(drawn(self.shapes))
        for token in self.edits:  # that they are wanted now and then
            self.weights["lm_head.weight"][token] *= FONDNESS
        write_tokenizer(folder, self.specials, whole=True)
        write_config(folder, self.config)
        write_weights(folder, self.weights, shards=2)
        return folder

    def published(self, tokens_T: Tensor) -> Tensor:
        seen_TT = models.block_causal(len(tokens_T), self.block)
        return self.logits(self.weights, self.config, tokens_T, seen_TT)


def by_threshold(block: int, threshold: float) -> Steps:
    return lambda logits, tokens: samplers.dynamic(
        logits, tokens, MASK_ID, block, threshold, BANNED
    )


def sdar() -> Family:
    config = CONFIG | {"architectures": ["SDARForCausalLM"], "model_type": "sdar", "block_size": 4}
    config |= {"mask_token_id": MASK_ID, "head_dim": 16}
    shapes = llama_shapes(config, norm=True)
    return Family(config, shapes, ("<|endoftext|>", "<|MASK|>"), 4, by_threshold(4, 0.85))


def sdar_moe() -> Family:
    plain = sdar()
    config = {**plain.config, "architectures": ["SDARMoeForCausalLM"], "model_type": "sdar_moe"}
    config |= {"num_experts": 8, "num_experts_per_tok": 3, "norm_topk_prob": True}
    config |= {"moe_intermediate_size": 16, "decoder_sparse_step": 1, "mlp_only_layers": []}
    return replace(plain, config=config, shapes=qwen3_moe_shapes(config), logits=models.qwen3_moe)


def fast_dllm() -> Family:
    config = CONFIG | {"architectures": ["Fast_dLLM_QwenForCausalLM"], "bd_size": 32}
    return Family(
        config,
        llama_shapes(config, bias=True),
        ("<|im_end|>", "|<MASK>|"),
        32,
        lambda logits, tokens: samplers.fast_dllm(logits, tokens, MASK_ID, 32, 8, 0.9, BANNED),
    )


def a2d(kind: str) -> Family:
    config = CONFIG | {"architectures": [f"A2D{kind}LMHeadModel"], "block_size": 8}
    config |= {"tie_word_embeddings": True}
    shapes = llama_shapes(config, bias=kind == "Qwen2", norm=kind == "Qwen3")
    one_a_pass = by_threshold(8, 2.0)
    return Family(config, shapes, ("<|im_end|>", "<|mask|>"), 8, one_a_pass, confident=2.0)


def llada2() -> Family:
    config = CONFIG | {
        "architectures": ["LLaDA2MoeModelLM"],
        "model_type": "llada2_moe",
        "head_dim": 16,
        "partial_rotary_factor": 0.5,
        "num_experts": 8,
        "num_experts_per_tok": 2,
        "num_shared_experts": 1,
        "n_group": 4,
        "topk_group": 2,
        "routed_scaling_factor": 2.5,
        "moe_intermediate_size": 16,
        "first_k_dense_replace": 1,
        "block_size": 8,
    }
    names = ("<|endoftext|>", "<|mask|>")
    steps = by_threshold(8, 0.95)
    return Family(config, llada2_shapes(config), names, 8, steps, logits=models.llada2)


def llada21() -> Family:
    older = llada2()
    return replace(
        older,
        config={**older.config, "_name_or_path": "inclusionAI/LLaDA2.1-mini"},
        steps=lambda logits, tokens: samplers.editing(
            logits, tokens, MASK_ID, 8, (0.7, FONDLY), 16, BANNED
        ),
        rewrite=FONDLY,
    )


def llada22() -> Family:
    older, edits = llada2(), (ROWS - 2, ROWS - 1)  # ids that the tokenizer knows nothing of
    return replace(
        older,
        config={
            **older.config,
            "expert_capacity": 4,
            "delete_token_id": edits[0],
            "split_token_id": edits[1],
        },
        steps=lambda logits, tokens: samplers.levenshtein(
            logits, tokens, MASK_ID, 8, edits, 48, set(BANNED) - set(edits)
        ),
        rewrite=0.0,
        edits=edits,
    )


def stable_diffcoder() -> Family:
    model = "modeling_seed_diffcoder.SeedDiffcoderForCausalLM"
    config = CONFIG | {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "auto_map": {"AutoModelForCausalLM": model},
    }
    names = ("<eos>", "<[MASK_TOKEN]>", *PROMPT)
    one_a_pass = by_threshold(4, 2.0)
    return Family(config, llama_shapes(config), names, 4, one_a_pass, confident=2.0)


FAMILIES = {
    "llada2": llada2,
    "llada2.1": llada21,
    "llada2.2": llada22,
    "stable-diffcoder": stable_diffcoder,
    "sdar": sdar,
    "sdar-moe": sdar_moe,
    "fast-dllm": fast_dllm,
    "a2d-qwen2": lambda: a2d("Qwen2"),
    "a2d-qwen3": lambda: a2d("Qwen3"),
}


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]()


def loaded(family: Family, folder: Path) -> Blockwise:
    model = families.load(family.write(folder), CPU)
    assert isinstance(model, Blockwise)
    return model


def context(count: int, seed: int = 1) -> list[int]:
    noise = torch.Generator().manual_seed(seed)
    return torch.randint(0, special(0), (count,), generator=noise).tolist()


def shifted(logits_TV: Tensor) -> Tensor:
    return torch.cat([logits_TV[:1], logits_TV[:-1]])


@torch.inference_mode()
def test_looks_are_what_the_model_published_computes(family: Family, tmp_path: Path) -> None:
    model, text = loaded(family, tmp_path), context(family.block + 3)
    reading = model.read(engine_ids(text), [], engine_ids(context(1, seed=2)))
    assert reading.slots
    canvas_NC = torch.full((1, reading.slots), MASK)
    canvas_NC[0, -1] = OFFSET + 65
    found_PV = reading.look(canvas_NC, torch.ones_like(canvas_NC, dtype=torch.bool))
    row = text + context(1, seed=2) + [MASK_ID] * (reading.slots - 1) + [65]
    row += [MASK_ID] * (-len(row) % family.block)
    logits_TV = family.published(torch.tensor(row))
    logits_TV = shifted(logits_TV) if family.block == 32 else logits_TV
    start = len(text) + 1
    expected_PV = torch.log_softmax(logits_TV, -1)[start : start + reading.slots]
    torch.testing.assert_close(found_PV[:, OFFSET:], expected_PV, atol=1e-4, rtol=0)
    torch.testing.assert_close(found_PV[:, 1], expected_PV[:, END], atol=1e-4, rtol=0)


@torch.inference_mode()
def test_sampling_takes_the_published_steps(family: Family, tmp_path: Path) -> None:
    model, text = loaded(family, tmp_path), context(family.block + 3)
    end = 3 * family.block
    expected = list(family.steps(family.published, text + [MASK_ID] * (end - len(text))))
    rule = model.traits.rule
    assert (rule.rewrite is None) == (family.rewrite is None)
    confident = family.confident or rule.confident
    rule = replace(rule, confident=confident, rewrite=family.rewrite)
    forbidden_V = model.traits.vocabulary.forbidden(max_lines=9)
    resize = model.traits.lengths.resize(max_lines=9)
    assert (resize is None) == (not family.edits)
    if resize:
        forbidden_V = forbidden_V & ~resize.spelled_V
    limits = Limits(forbidden_V)
    done: list[int] = []
    found: list[list[int]] = []
    while len(text) + len(done) < end:
        reading = model.read(engine_ids(text), [], done)
        assert reading.slots
        canvas = Canvas.blank([reading.slots], reading.slots, CPU.device)
        for _ in denoise(reading.look, canvas, rule, limits, torch.Generator(), resize):
            filled = [*engine_ids(text), *done, *canvas.tokens_NC[0].tolist()]
            own = [MASK_ID if token == MASK else token - OFFSET for token in filled]
            found.append(own + [MASK_ID] * (end - len(own)))
        done += canvas.tokens_NC[0].tolist()
    assert found == expected
    edited = any(
        before not in (MASK_ID, after)
        for step, next_step in pairwise(found)
        for before, after in zip(step, next_step, strict=True)
    )
    assert edited == (family.rewrite is not None)


@torch.inference_mode()
def test_what_was_read_before_changes_nothing(family: Family, tmp_path: Path) -> None:
    model, fresh = loaded(family, tmp_path / "a"), loaded(family, tmp_path / "b")
    canvas_NC = torch.full((1, 3), MASK)
    wanted_NC = torch.ones_like(canvas_NC, dtype=torch.bool)
    text = context(3 * family.block)
    for end in (len(text), 2 * family.block + 1, 5):
        edited = [*text[: end - 1], 65, 66]
        kept = model.read(engine_ids(edited), [], [])
        anew = fresh.read(engine_ids(edited), [], [])
        torch.testing.assert_close(
            kept.look(canvas_NC, wanted_NC), anew.look(canvas_NC, wanted_NC), atol=1e-5, rtol=0
        )
        assert kept.encoded <= anew.encoded
        fresh = loaded(family, tmp_path / "b")


def test_the_suffix_is_said_first_where_the_family_has_a_prompt_for_it(tmp_path: Path) -> None:
    model = loaded(stable_diffcoder(), tmp_path)
    encode = model.traits.tokenizer.encode
    prefix, suffix = model.streams("python", b"def f(x):\n    return ", b"\n\nprint(f(1))\n")
    marks = engine_ids([special(2), special(3), special(4)])
    tail, head = encode(b"\n\nprint(f(1))\n"), encode(b"def f(x):\n    return ")
    assert prefix == [marks[0], *tail, marks[1], *head, marks[2]]
    assert suffix == []


def test_without_such_a_prompt_the_suffix_is_out_of_sight(tmp_path: Path) -> None:
    model = loaded(sdar(), tmp_path)
    assert model.streams("", b"x = ", b"\n") == model.streams("", b"x = ", b"other")


def test_a_hole_is_filled_block_after_block(family: Family, tmp_path: Path) -> None:
    engine = Engine(loaded(family, tmp_path))
    text = b"def add(a, b):\n    return \n\nprint(add(1, 2))\n"
    hole = Span(text.index(b"return ") + 7, text.index(b"return ") + 7)
    request = InfillRequest(text, hole, "", length_tokens=12, budget_ms=60_000)
    *drafts, suggestion = list(engine.infill(request))
    assert isinstance(suggestion, Suggestion)
    assert isinstance(drafts[-1], Draft)
    assert drafts[-1].text
    assert drafts[-1].masked == 0
