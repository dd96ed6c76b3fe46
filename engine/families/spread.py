"""A stack over several GPUs, for models that one of them cannot hold: whole layers on each.

What is before and behind the layers is on the first device, so that whoever calls a stack sees one
device; only the keys and values of a layer stay where the layer is. Layers run one after the other:
this is for memory, not for speed.
"""

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from engine.device import Placement
from engine.errors import DeviceError

Devices = Callable[[str], torch.device]
"""Where a parameter of the stack is to be."""

_SHARE = 0.9
"""Of the memory that is free; the rest is for what is computed."""


def devices_of(stack: nn.Module, placement: Placement) -> Devices:
    """A device for each parameter of a stack without weights.

    Raises DeviceError where they do not fit, or accelerate is not installed.
    """
    if not placement.others:
        return lambda _: placement.device
    devices = (placement.device, *placement.others)
    placed = _planned(stack, placement, {i: _free_bytes(one) for i, one in enumerate(devices)})

    def device_of(parameter: str) -> torch.device:
        modules = parameter.split(".")
        places = (placed.get(".".join(modules[:end])) for end in range(len(modules), -1, -1))
        return devices[next(place for place in places if place is not None)]

    return device_of


def connect(stack: nn.Module, placement: Placement) -> None:
    """Have what goes into each layer, and what comes out of the last, moved to where it is used."""
    if not placement.others:
        return
    hooks = importlib.import_module("accelerate.hooks")
    for module in (*stack.get_submodule("layers").children(), stack.get_submodule("norm")):
        device = next(module.parameters()).device
        hooks.add_hook_to_module(module, hooks.AlignDevicesHook(execution_device=device))


def _planned(stack: nn.Module, placement: Placement, free_bytes: dict[int, int]) -> dict[str, int]:
    """The number of the device of each module."""
    try:
        accelerate: Any = importlib.import_module("accelerate.utils")
    except ImportError as error:
        raise DeviceError("several GPUs need accelerate: pip install 'sfumato[models]'") from error
    layer = type(next(stack.get_submodule("layers").children())).__name__
    sizes: dict[str, Any] = {"dtype": torch.int8 if placement.int8 else placement.dtype}
    outer = (name for name, _ in stack.named_parameters() if not name.startswith("layers."))
    sizes["special_dtypes"] = dict.fromkeys(outer, placement.dtype)
    most = {index: int(_SHARE * free) for index, free in free_bytes.items()}
    balanced = accelerate.get_balanced_memory(stack, most, [layer], **sizes)
    # balanced is too little where one has much less than the others
    for memory in (balanced, most):
        placed = accelerate.infer_auto_device_map(stack, memory | {"cpu": 0}, [layer], **sizes)
        if all(isinstance(place, int) for place in placed.values()):
            return placed
    gb = ", ".join(f"{free / 1e9:.1f}" for free in free_bytes.values())
    raise DeviceError(f"the model does not fit into the GPUs, which have {gb} GB free")


def _free_bytes(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0]
