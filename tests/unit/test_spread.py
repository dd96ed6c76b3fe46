"""A stack over several devices: who goes where, and what goes in and out of each."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import families
from engine.device import Placement
from engine.errors import DeviceError
from engine.families import spread
from engine.families.ids import engine_ids
from engine.families.transformer import Shape, Transformer
from tests.support.qwen_folders import A2D_QWEN3, DREAM
from tests.support.tiny_model import CPU

SHAPE = Shape(
    vocabulary=64,
    width=32,
    layers=8,
    heads=4,
    kv_heads=2,
    head_size=8,
    hidden=64,
    rope_base=1e4,
    epsilon=1e-6,
)
TWO = Placement(torch.device("cuda:0"), torch.float32, 0, others=(torch.device("cuda:1"),))


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """So many bytes on each device."""

    def set_to(*free_bytes: int) -> None:
        by_name = {f"cuda:{index}": count for index, count in enumerate(free_bytes)}
        monkeypatch.setattr(spread, "_free_bytes", lambda device: by_name[str(device)])

    return set_to


def on_meta() -> Transformer:
    with torch.device("meta"):
        return Transformer(SHAPE)


def bytes_of(module: torch.nn.Module) -> int:
    return sum(4 * parameter.numel() for parameter in module.parameters())


def test_layers_go_to_devices_in_their_order_and_the_rest_to_the_first(
    free: Callable[..., None],
) -> None:
    stack = on_meta()
    layer = bytes_of(stack.get_submodule("layers.0"))
    outer = bytes_of(stack) - SHAPE.layers * layer
    free(int((outer + 5.5 * layer) / 0.9), int(7.5 * layer / 0.9))
    device_of = spread.devices_of(stack, TWO)
    found = {name: device_of(name).index for name, _ in stack.named_parameters()}
    assert {index for name, index in found.items() if not name.startswith("layers.")} == {0}
    numbers = [{found[name] for name in found if name.startswith(f"layers.{n}.")} for n in range(8)]
    assert all(len(places) == 1 for places in numbers)
    indices = [min(places) for places in numbers]
    assert indices == sorted(indices)
    assert set(indices) == {0, 1}


def test_a_small_gpu_beside_a_large_one_is_no_hindrance(free: Callable[..., None]) -> None:
    stack = on_meta()
    layer = bytes_of(stack.get_submodule("layers.0"))
    outer = bytes_of(stack) - SHAPE.layers * layer
    free(int((outer + 9.5 * layer) / 0.9), int(1.5 * layer / 0.9))
    device_of = spread.devices_of(stack, TWO)
    assert {device_of(name).index for name, _ in stack.named_parameters()} <= {0, 1}


def test_what_fits_nowhere_is_said(free: Callable[..., None]) -> None:
    free(10_000, 10_000)
    with pytest.raises(DeviceError, match="does not fit into the GPUs"):
        spread.devices_of(on_meta(), TWO)


def test_keys_and_values_stay_where_their_layer_is() -> None:
    """The processor, and a device that holds no numbers: nothing comes back from there."""
    stack = Transformer(SHAPE).requires_grad_(requires_grad=False)
    there = [f"layers.{number}" for number in range(4, 8)] + ["norm", "lm_head"]
    for name in there:
        stack.get_submodule(name).to("meta")
    spread.connect(stack, replace(CPU, others=(torch.device("meta"),)))
    tokens_NT = torch.zeros(2, 3, dtype=torch.int64)
    places_1T = torch.arange(3)[None]
    seen_1TS = torch.ones(1, 3, 3, dtype=torch.bool)
    _, past = stack(tokens_NT, places_1T, seen_1TS)
    hidden_NTD, _ = stack(tokens_NT, places_1T + 3, torch.ones(1, 3, 6, dtype=torch.bool), past)
    assert hidden_NTD.device.type == "meta"
    assert [kept.keys_NKTE.device.type for kept in past] == ["cpu"] * 4 + ["meta"] * 4


@pytest.mark.parametrize("family", [DREAM, A2D_QWEN3])
def test_what_is_moved_is_computed_all_the_same(
    family: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = family.write(tmp_path)
    monkeypatch.setattr(spread, "_free_bytes", lambda _: 10**6)
    looks = [
        families.load(folder, placement).read(engine_ids([5] * 9), engine_ids([7] * 4), []).look
        for placement in (CPU, replace(CPU, others=(CPU.device,)))
    ]
    canvas_NC = torch.zeros(2, 5, dtype=torch.int64)
    one_PV, other_PV = (look(canvas_NC, canvas_NC == 0) for look in looks)
    torch.testing.assert_close(one_PV, other_PV)
