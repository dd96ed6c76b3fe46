"""DiffusionGemma: what it computes, its context kept exactly, and a hole filled with it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from engine import families
from engine.errors import CheckpointError
from engine.families.diffusion_gemma import CanvasOnContext
from engine.families.ids import OFFSET, engine_ids
from engine.infill import Engine
from engine.types import InfillRequest, Span, Suggestion
from tests.support import published_gemma as published
from tests.support.hub_folders import (
    SPARE,
    special,
    write_config,
    write_tokenizer,
    write_weights,
)
from tests.support.tiny_folders import drawn
from tests.support.tiny_model import CPU

TEXT: dict[str, Any] = {
    "vocab_size": special(2) + SPARE,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "global_head_dim": 16,
    "num_global_key_value_heads": 1,
    "sliding_window": 5,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"],
    "rope_parameters": {
        "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        "full_attention": {
            "rope_type": "proportional",
            "partial_rotary_factor": 0.25,
            "rope_theta": 1_000_000.0,
        },
    },
    "num_experts": 4,
    "top_k_experts": 2,
    "moe_intermediate_size": 16,
    "rms_norm_eps": 1e-6,
    "final_logit_softcapping": 30.0,
    "bos_token_id": special(0),
    "eos_token_id": special(1),
}
WEIGHTS = drawn(published.shapes(TEXT))


def write(folder: Path, **changed: Any) -> Path:
    config = {"architectures": ["DiffusionGemmaForBlockDiffusion"], "canvas_length": 256}
    write_tokenizer(folder, ("<bos>", "<eos>"), whole=True)
    write_config(folder, {**config, "text_config": TEXT | changed})
    write_weights(folder, WEIGHTS, shards=2)
    return folder


def loaded(folder: Path) -> CanvasOnContext:
    model = families.load(folder, CPU)
    assert isinstance(model, CanvasOnContext)
    return model


def tokens(count: int, seed: int) -> list[int]:
    noise = torch.Generator().manual_seed(seed)
    return torch.randint(0, special(0), (count,), generator=noise).tolist()


@torch.inference_mode()
def test_looks_are_what_the_model_published_computes_over_any_edits(tmp_path: Path) -> None:
    model, canvas = loaded(write(tmp_path)), tokens(6, seed=2)
    canvas_NC = torch.tensor([engine_ids(canvas)])
    text = tokens(13, seed=1)
    for context in (text, [*text, 7, 8], [*text[:6], 9, 10, 11], text[:3]):
        reading = model.read(engine_ids(context), [], [])
        found_PV = reading.look(canvas_NC, torch.ones_like(canvas_NC, dtype=torch.bool))
        logits_CV = published.logits(WEIGHTS, TEXT, torch.tensor(context), torch.tensor(canvas))
        expected_PV = torch.log_softmax(logits_CV, -1)
        torch.testing.assert_close(found_PV[:, OFFSET:], expected_PV, atol=1e-4, rtol=0)


def test_only_what_is_new_of_a_context_is_computed(tmp_path: Path) -> None:
    model, text = loaded(write(tmp_path)), engine_ids(tokens(13, seed=1))
    assert model.read(text, [], []).encoded == 13
    assert model.read(text, [], text[:2]).encoded == 2
    assert model.read(text[:4], [], []).encoded == 0


def test_a_hole_is_filled_through_the_whole_engine(tmp_path: Path) -> None:
    engine, text = Engine(loaded(write(tmp_path))), b"def f(x):\n    return \n"
    request = InfillRequest(text, Span(21, 21), "", length_tokens=6, budget_ms=60_000)
    *_, suggestion = engine.infill(request)
    assert isinstance(suggestion, Suggestion)


def test_a_config_that_does_not_fit_the_weights_is_refused_in_one_sentence(tmp_path: Path) -> None:
    folder = write(tmp_path, layer_types=["sliding_attention"] * 5)
    with pytest.raises(CheckpointError, match="has the shape"):
        families.load(folder, CPU)
