"""Weights in 8 bits: how far off they are, and what they take."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from engine import families
from engine.device import Placement, place
from engine.errors import DeviceError
from engine.families import exchange, sdar, spread, stack
from engine.families.folder import Folder
from engine.families.ids import OFFSET, engine_ids
from engine.families.int8 import Int8Linear
from engine.tokenizer import MASK
from tests.support.hub_folders import (
    SIZES,
    SPARE,
    special,
    write_config,
    write_tokenizer,
    write_weights,
)
from tests.support.tiny_folders import drawn, llama_shapes
from tests.support.tiny_model import CPU


@pytest.mark.parametrize("tokens", [3, 30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_a_product_is_off_by_one_percent_at_most(dtype: torch.dtype, tokens: int) -> None:
    noise = torch.Generator().manual_seed(0)
    linear = nn.Linear(2048, 2500).to(dtype)
    linear.weight.copy_(torch.randn(2500, 2048, generator=noise))
    x_XI = torch.randn(tokens, 5, 2048, generator=noise).to(dtype)
    layer = Int8Linear(linear.weight, linear.bias)
    assert layer.weight.nbytes == linear.weight.nbytes // dtype.itemsize
    packed, exact = layer(x_XI), linear.float()(x_XI.float())
    assert packed.dtype == dtype
    wrong = (packed.float() - exact).square().mean().sqrt() / exact.square().mean().sqrt()
    assert wrong < 0.01


def test_the_matrix_is_not_kept() -> None:
    assert not Int8Linear(nn.Linear(8, 4).weight).scale_O.requires_grad


def write(folder: Path) -> Path:
    rows = special(2) + SPARE
    config = {**SIZES, "architectures": ["SDARForCausalLM"], "vocab_size": rows, "block_size": 4}
    config |= {"head_dim": 16, "eos_token_id": special(0), "mask_token_id": special(1)}
    write_tokenizer(folder, ("<|endoftext|>", "<|MASK|>"), whole=True)
    write_config(folder, config)
    write_weights(folder, drawn(llama_shapes(config, norm=True)))
    return folder


@torch.inference_mode()
def test_a_model_in_8_bits_says_nearly_what_it_said(tmp_path: Path) -> None:
    folder, canvas_NC = write(tmp_path), torch.full((1, 3), MASK)
    said: list[torch.Tensor] = []
    for placement in (CPU, replace(CPU, int8=True)):
        look = families.load(folder, placement).read(engine_ids([5] * 9), [], []).look
        log_probs_PV = look(canvas_NC, torch.ones_like(canvas_NC, dtype=torch.bool))
        said.append(log_probs_PV[:, OFFSET:].exp())
    assert (said[0] - said[1]).abs().max() < 0.05
    assert not torch.equal(*said)


def test_every_matrix_of_every_layer_is_in_8_bits(tmp_path: Path) -> None:
    packed = sdar.plan(Folder(write(tmp_path))).stack(replace(CPU, int8=True))
    matrices = [weight for weight in packed.layers.parameters() if weight.ndim == 2]
    assert len(matrices) == 2 * 7
    assert all(weight.dtype == torch.int8 for weight in matrices)


def test_otherwise_a_processor_has_every_matrix_laid_out(tmp_path: Path) -> None:
    laid = sdar.plan(Folder(write(tmp_path))).stack(CPU)
    matrices = [weight for weight in laid.layers.parameters() if weight.ndim == 2]
    assert len(matrices) == 2 * 7
    assert all(weight.is_mkldnn for weight in [*matrices, laid.lm_head.weight])


def test_a_layer_is_packed_before_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks, unread = list[nn.Module](), list[int]()

    def devices_of(whole: nn.Module, placement: Placement) -> spread.Devices:
        stacks.append(whole)
        return spread.devices_of(whole, placement)

    def seen(layer: nn.Module, kind: exchange.Kind) -> None:
        layers = stacks[0].get_submodule("layers").children()
        unread.append(sum(any(p.is_meta for p in one.parameters()) for one in layers))
        exchange.exchange(layer, kind)

    monkeypatch.setattr(stack, "devices_of", devices_of)
    monkeypatch.setattr(stack, "exchange", seen)
    families.load(write(tmp_path), replace(CPU, int8=True))
    assert unread == [1, 0]


@pytest.mark.parametrize("name", ["cpu", "cpu+int8"])
def test_8_bits_are_asked_for_with_the_device(name: str) -> None:
    assert place(name).int8 is ("+" in name)


def test_a_precision_that_is_none_is_refused() -> None:
    with pytest.raises(DeviceError, match="int4"):
        place("cpu+int4")
