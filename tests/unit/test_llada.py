"""LLaDA and LLaDA-MoE: what they compute and how they are sampled, as published."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine import families
from engine.canvas import Canvas
from engine.errors import CheckpointError
from engine.families.full import FullAttention
from engine.families.ids import OFFSET, engine_ids
from engine.infill import Engine
from engine.sampler import Limits, denoise
from engine.tokenizer import MASK
from engine.types import Draft, InfillRequest, Span, Suggestion
from tests.support import published_models as models
from tests.support import published_samplers as samplers
from tests.support.hub_folders import (
    SPARE,
    special,
    write_config,
    write_tokenizer,
    write_weights,
)
from tests.support.tiny_folders import Shapes, drawn, llada_moe_shapes, llada_shapes
from tests.support.tiny_model import CPU

END, MASK_ID, ROWS = special(0), special(1), special(2) + SPARE
SPECIALS = {"LLaDAModelLM": "<|mdm_mask|>", "LLaDAMoEModelLM": "<|mask|>"}
BEFORE, BEHIND = list(b"def f(x):\n    return "), list(b"\n\nprint(f(1))\n")


@dataclass(frozen=True)
class Family:
    """A family's format, and what its models compute."""

    config: Mapping[str, Any]
    shapes: Shapes
    logits: Callable[[Mapping[str, Tensor], Mapping[str, Any], Tensor], Tensor]

    def write(self, folder: Path, **changed: Any) -> Path:
        mask = SPECIALS[self.config["architectures"][0]]
        write_tokenizer(folder, ("<|endoftext|>", mask), whole=True)
        write_config(folder, {**self.config, **changed})
        write_weights(folder, drawn(self.shapes))
        return folder

    def published(self, tokens_T: Tensor) -> Tensor:
        return self.logits(drawn(self.shapes), self.config, tokens_T)


LLADA_CONFIG = {
    "architectures": ["LLaDAModelLM"],
    "model_type": "llada",
    "d_model": 32,
    "n_layers": 2,
    "n_heads": 4,
    "n_kv_heads": 4,
    "mlp_hidden_size": 48,
    "vocab_size": ROWS,
    "embedding_size": ROWS,
    "rope_theta": 500000.0,
    "rms_norm_eps": 1e-5,
    "weight_tying": False,
    "block_type": "llama",
    "layer_norm_type": "rms",
    "activation_type": "silu",
    "rope": True,
    "eos_token_id": END,
    "mask_token_id": MASK_ID,
    "max_sequence_length": 512,
}
MOE_CONFIG = {
    "architectures": ["LLaDAMoEModelLM"],
    "model_type": "lladamoe",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "dense_intermediate_size": 48,
    "expert_intermediate_size": 16,
    "shared_expert_intermediate_size": None,
    "num_experts": 8,
    "num_experts_per_tok": 3,
    "moe_layer_freq": [0, 1],
    "qk_layernorm": True,
    "vocab_size": ROWS,
    "rope_theta": 50000,
    "rms_norm_eps": 1e-5,
    "eos_token_id": END,
}
FAMILIES = {
    "llada": Family(LLADA_CONFIG, llada_shapes(LLADA_CONFIG), models.llada),
    "llada-moe": Family(MOE_CONFIG, llada_moe_shapes(MOE_CONFIG), models.llada_moe),
}


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]


def loaded(folder: Path) -> FullAttention:
    model = families.load(folder, CPU)
    assert isinstance(model, FullAttention)
    model.refresh_every = 1
    return model


@torch.inference_mode()
def test_looks_are_what_the_model_published_computes(family: Family, tmp_path: Path) -> None:
    look = loaded(family.write(tmp_path)).read(engine_ids(BEFORE), engine_ids(BEHIND), []).look
    tokens_NC = torch.tensor([[MASK, OFFSET + 65, MASK, MASK]])
    found_PV = look(tokens_NC, torch.ones_like(tokens_NC, dtype=torch.bool))
    row = [*BEFORE, MASK_ID, 65, MASK_ID, MASK_ID, *BEHIND]
    logits_TV = family.published(torch.tensor(row))[len(BEFORE) : len(BEFORE) + 4]
    expected_PV = torch.log_softmax(logits_TV, -1)
    torch.testing.assert_close(found_PV[:, OFFSET:], expected_PV, atol=1e-4, rtol=0)
    torch.testing.assert_close(found_PV[:, 1], expected_PV[:, END], atol=1e-4, rtol=0)


@pytest.mark.parametrize("steps", [10, 4])
@torch.inference_mode()
def test_sampling_takes_the_published_steps(family: Family, tmp_path: Path, steps: int) -> None:
    model = loaded(family.write(tmp_path))
    look = model.read(engine_ids(BEFORE), engine_ids(BEHIND), []).look
    rule = replace(model.traits.rule, passes=steps, confident=2.0)
    limits = Limits(model.traits.vocabulary.forbidden(max_lines=9))
    canvas = Canvas.blank([10], 10, CPU.device)
    found: list[list[int]] = []
    for _ in denoise(look, canvas, rule, limits, torch.Generator()):
        own = [MASK_ID if t == MASK else t - OFFSET for t in canvas.tokens_NC[0].tolist()]
        found.append([*BEFORE, *own, *BEHIND])
    row = [*BEFORE, *[MASK_ID] * 10, *BEHIND]
    banned = range(special(0), ROWS)
    assert found == list(samplers.llada(family.published, row, MASK_ID, steps, banned))


def test_a_hole_is_filled_through_the_whole_engine(family: Family, tmp_path: Path) -> None:
    engine, hole = Engine(loaded(family.write(tmp_path))), Span(len(BEFORE), len(BEFORE))
    request = InfillRequest(bytes(BEFORE + BEHIND), hole, "", length_tokens=5, budget_ms=60_000)
    *_, draft, suggestion = engine.infill(request)
    assert isinstance(suggestion, Suggestion)
    assert isinstance(draft, Draft)
    assert draft.text
    assert draft.masked == 0


@pytest.mark.parametrize(
    ("name", "changed", "says"),
    [
        ("llada", {"block_type": "sequential"}, "block_type 'sequential'"),
        ("llada", {"n_layers": "two"}, 'a number "n_layers"'),
        ("llada", {"n_layers": 3}, "no tensor model.transformer.blocks.2"),
        ("llada", {"d_model": 64}, "has the shape"),
        ("llada", {"mask_token_id": 5000}, "different checkpoints"),
        ("llada-moe", {"moe_layer_freq": [1, 0]}, "moe_layer_freq"),
        ("llada-moe", {"shared_expert_intermediate_size": 8}, "shared_expert"),
        ("llada-moe", {"rope_scaling": {"type": "yarn"}}, '"yarn"'),
    ],
)
def test_a_folder_that_is_not_as_published_is_refused_in_one_sentence(
    name: str, changed: dict[str, Any], says: str, tmp_path: Path
) -> None:
    folder = FAMILIES[name].write(tmp_path, **changed)
    with pytest.raises(CheckpointError, match=says) as refused:
        families.load(folder, CPU)
    assert "\n" not in str(refused.value)
