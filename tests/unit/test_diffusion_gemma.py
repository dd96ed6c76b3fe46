"""DiffusionGemma: what it computes, its context kept exactly, and a hole filled with it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine import families
from engine.canvas import Canvas
from engine.errors import CheckpointError
from engine.families import diffusion_gemma
from engine.families.diffusion_gemma import CanvasOnContext
from engine.families.folder import Folder
from engine.families.ids import OFFSET, engine_ids
from engine.infill import Engine
from engine.sampler import Limits, denoise
from engine.schedule import Renewal, Rule
from engine.tokenizer import MASK
from engine.types import InfillRequest, Span, Suggestion
from tests.support.hub_folders import (
    BLANK,
    SPARE,
    special,
    write_config,
    write_pieces,
    write_tokenizer,
    write_weights,
)
from tests.support.tiny_folders import drawn, gemma_shapes
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
WEIGHTS = drawn(gemma_shapes(TEXT))
# what was thought has a small say, else random weights make 1e-5 an error of 1 in six steps
WEIGHTS["model.decoder.self_conditioning.down_proj.weight"] *= 0.05
SLOTS, FIRST_TEMPERATURE = 8, 0.8


AT_REST = WEIGHTS | {"model.decoder.layers.3.layer_scalar": torch.zeros(1)}
"""A model to which all tokens are alike, so that its best stay the best."""


def write(folder: Path, weights: Mapping[str, Tensor] = WEIGHTS, **changed: Any) -> Path:
    config = {"architectures": ["DiffusionGemmaForBlockDiffusion"], "canvas_length": 256}
    write_tokenizer(folder, ("<bos>", "<eos>"), whole=True)
    write_config(folder, {**config, "text_config": TEXT | changed})
    write_weights(folder, weights, shards=2)
    return folder


def loaded(folder: Path) -> CanvasOnContext:
    model = families.load(folder, CPU)
    assert isinstance(model, CanvasOnContext)
    return model


def tokens(count: int, seed: int) -> list[int]:
    noise = torch.Generator().manual_seed(seed)
    return torch.randint(0, special(0), (count,), generator=noise).tolist()


def in_transformers(weights: Mapping[str, Tensor] = WEIGHTS) -> Any:
    import transformers

    eyes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    eyes |= {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8}
    text = TEXT | {"num_hidden_layers": len(TEXT["layer_types"]), "pad_token_id": None}
    config = transformers.DiffusionGemmaConfig(
        text_config=text,
        vision_config=transformers.Gemma4VisionConfig(**eyes).to_dict(),
        canvas_length=SLOTS,
    )
    theirs = transformers.DiffusionGemmaForBlockDiffusion(config).eval()
    theirs.load_state_dict(weights, strict=False)
    theirs.tie_weights()
    return theirs


@torch.inference_mode()
def test_looks_are_what_transformers_computes_over_any_edits(tmp_path: Path) -> None:
    model, theirs, canvas = loaded(write(tmp_path)), in_transformers(), tokens(SLOTS, seed=2)
    canvas_NC = torch.tensor([engine_ids(canvas)])
    text = tokens(13, seed=1)
    for context in (text, [*text, 7, 8], [*text[:6], 9, 10, 11], text[:3]):
        reading = model.read(engine_ids(context), [], [])
        found_PV = reading.look(canvas_NC, torch.ones_like(canvas_NC, dtype=torch.bool))
        out = theirs(input_ids=torch.tensor([context]), decoder_input_ids=torch.tensor([canvas]))
        expected_PV = torch.log_softmax(out.logits[0] / FIRST_TEMPERATURE, -1)
        torch.testing.assert_close(found_PV[:, OFFSET:], expected_PV, atol=1e-4, rtol=0)


def published_steps(
    theirs: Any, context: list[int], rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[dict[int, int]], list[int]]:
    """What transformers' own generate accepts in each step, and what it ends with.

    Noise is drawn as the engine draws it; of each distribution the best token is taken.
    """
    from transformers.models.diffusion_gemma import generation_diffusion_gemma as generation

    noise, steps = torch.Generator().manual_seed(0), list[dict[int, int]]()
    sampler: Any = generation.EntropyBoundSampler
    renoise = sampler.renoise_canvas

    def drawn(self: Any, batch_size: int, device: Any) -> Tensor:
        del device
        return torch.randint(TEXT["vocab_size"], (batch_size, self.canvas_length), generator=noise)

    def recorded(self: Any, accepted: Tensor, cur_step: Any) -> Tensor:
        places = self.accepted_token_mask[0].nonzero()[:, 0].tolist()
        steps.append({place: int(accepted[0, place]) for place in places})
        return renoise(self, accepted, cur_step)

    def best(chances: Tensor, num_samples: int) -> Tensor:
        del num_samples
        return chances.argmax(-1, keepdim=True)

    monkeypatch.setattr(sampler, "initialize_canvas", drawn)
    monkeypatch.setattr(sampler, "renoise_canvas", recorded)
    monkeypatch.setattr(torch, "multinomial", best)
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: None)
    assert rule.renewal
    found = theirs.generate(
        torch.tensor([context]),
        max_new_tokens=SLOTS,
        max_denoising_steps=rule.passes,
        sampler_config=generation.EntropyBoundSamplerConfig(rule.renewal.bound),
        confidence_threshold=rule.renewal.calm,
        eos_token_id=None,
    )
    return steps, found.sequences[0, len(context) :].tolist()


@pytest.mark.parametrize(
    ("renewal", "weights"),
    [
        (Renewal(0.1, 0.005), WEIGHTS),
        (Renewal(3.0, 0.005), WEIGHTS),
        (Renewal(3.0, 7.0), AT_REST),
        (Renewal(3.0, 5.0), AT_REST),
    ],
    ids=["as published", "bolder", "calm", "never calm"],
)
@torch.inference_mode()
def test_sampling_takes_the_steps_of_transformers(
    renewal: Renewal,
    weights: Mapping[str, Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, context = loaded(write(tmp_path, weights)), tokens(13, seed=1)
    rule = replace(model.traits.rule, renewal=renewal)
    expected, ending = published_steps(in_transformers(weights), context, rule, monkeypatch)
    assert (len(expected) < rule.passes) == (weights is AT_REST and renewal.calm == 7.0)
    look = model.read(engine_ids(context), [], []).look
    canvas = Canvas.blank([SLOTS], SLOTS, CPU.device)
    limits = Limits(torch.arange(OFFSET + TEXT["vocab_size"]) < OFFSET)
    rows = [
        state.tokens_NC[0].tolist()
        for state in denoise(look, canvas, rule, limits, torch.Generator())
    ]
    accepted = [{p: own - OFFSET for p, own in enumerate(row) if own != MASK} for row in rows]
    assert accepted[:-1] == expected[:-1]
    assert [accepted[-1][place] for place in range(SLOTS)] == ending


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


@torch.inference_mode()
def test_in_8_bits_it_says_nearly_what_it_said(tmp_path: Path) -> None:
    folder, said = write(tmp_path), list[Tensor]()
    canvas_NC = torch.tensor([engine_ids(tokens(SLOTS, seed=2))])
    for placement in (CPU, replace(CPU, int8=True)):
        model = families.load(folder, placement)
        look = model.read(engine_ids(tokens(13, seed=1)), [], []).look
        said.append(look(canvas_NC, torch.ones_like(canvas_NC, dtype=torch.bool))[:, OFFSET:].exp())
    apart_C = (said[0] - said[1]).abs().sum(-1) / 2  # 1 is all; a place may take another expert
    assert 0 < apart_C.median() < 0.1


def test_experts_too_are_in_8_bits(tmp_path: Path) -> None:
    plan = diffusion_gemma.plan(Folder(write(tmp_path)))
    layers = plan.stack(replace(CPU, int8=True)).layers
    matrices = [(name, weight) for name, weight in layers.named_parameters() if weight.ndim > 1]
    exact = [name for name, weight in matrices if weight.dtype != torch.int8]
    assert exact == [f"{layer}.router.proj.weight" for layer in range(4)]


TEXTS = (
    "def f(x):\n\treturn  x + 1  # \u00e9 \u00df \U0001f600\n\n\n    y = 2\r\n",
    "        ",
    "",
)


def with_pieces(folder: Path) -> Path:
    """The family's own kind of tokenizer, in the place of a simpler one."""
    count = write_pieces(folder, ("<bos>", "<eos>"))
    text = TEXT | {"vocab_size": count, "bos_token_id": 0, "eos_token_id": 1}
    config = {"architectures": ["DiffusionGemmaForBlockDiffusion"], "text_config": text}
    write_config(folder, config)
    write_weights(folder, drawn(gemma_shapes(text)))
    return folder


def test_text_is_read_and_written_as_the_familys_own_tokenizer_does(tmp_path: Path) -> None:
    import transformers

    tokenizer = loaded(with_pieces(tmp_path)).traits.tokenizer
    whole = json.loads((tmp_path / "tokenizer.json").read_text())["model"]
    merges: Any = [tuple(pair) for pair in whole["merges"]]
    theirs = transformers.GemmaTokenizer(vocab=whole["vocab"], merges=merges)
    for text in TEXTS:
        own = tokenizer.encode(text.encode())
        assert [token - OFFSET for token in own] == theirs(text)["input_ids"]
        assert tokenizer.decode(own).decode() == theirs.decode(theirs(text)["input_ids"]) == text
    for text in (f"a{BLANK}b".encode(), b"<eos> <0x41>", b"\xff\xfe x"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    breaks = tokenizer.encode(b"\n")
    assert loaded(tmp_path).traits.vocabulary.specials_V[breaks].tolist() == [False]


def test_a_config_that_does_not_fit_the_weights_is_refused_in_one_sentence(tmp_path: Path) -> None:
    folder = write(tmp_path, layer_types=["sliding_attention"] * 5)
    with pytest.raises(CheckpointError, match="has the shape"):
        families.load(folder, CPU)
