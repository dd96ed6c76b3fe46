"""A folder in the format of the Hugging Face hub: config.json, *.safetensors, a tokenizer.

Weights are memory-mapped and read tensor by tensor. Never pickle, never remote code.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from engine.errors import CheckpointError

_INDEX = "model.safetensors.index.json"
_FLOATS = (torch.bfloat16, torch.float16, torch.float32)
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


class Rows(NamedTuple):
    """Some rows of a tensor in a folder, where a family keeps several parameters in one."""

    name: str
    start: int
    stop: int


class Folder:
    """What stands in a folder. Every method raises CheckpointError, one sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = self.json("config.json")

    def json(self, name: str) -> dict[str, Any]:
        """A JSON object."""
        try:
            found = json.loads((self.path / name).read_text())
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{self.path / name} cannot be read: {error}") from error
        if not isinstance(found, dict):
            raise CheckpointError(f"{self.path / name} is not a JSON object")
        return cast("dict[str, Any]", found)

    def json_if_any(self, name: str) -> dict[str, Any]:
        """A JSON object; {} where there is no such file."""
        return self.json(name) if (self.path / name).is_file() else {}

    @property
    def architecture(self) -> str:
        """The first class named in the config; "" if none is."""
        named = self.config.get("architectures") or [""]
        return str(named[0])

    @cached_property
    def names(self) -> str:
        """What the model is called, in small letters: the folder, the config, the card's title."""
        card = self.path / "README.md"
        lines = card.read_text(errors="replace").splitlines() if card.is_file() else []
        title = next((line for line in lines if line.startswith("# ")), "")
        return f"{self.path.name} {self.config.get('_name_or_path', '')} {title}".lower()

    def number(self, key: str) -> int:
        """A whole number of the config."""
        value = self.config.get(key)
        if not isinstance(value, int):
            raise CheckpointError(f'{self.path}: config.json lacks a number "{key}"')
        return value

    @cached_property
    def shards(self) -> dict[str, Path]:
        """The file that holds each tensor."""
        if (self.path / _INDEX).is_file():
            listed: Mapping[str, str] = self.json(_INDEX).get("weight_map", {})
            files = {name: self.path / Path(file).name for name, file in listed.items()}
        else:
            single = sorted(self.path.glob("*.safetensors"))
            files = {name: file for file in single for name in _names(file)}
        for file in sorted(set(files.values())):
            if not file.is_file():
                raise CheckpointError(f"{self.path} lacks {file.name}: fetch it again")
        if not files:
            self._refuse_without_weights()
        return files

    def _refuse_without_weights(self) -> None:
        pickled = [file.name for pattern in _PICKLES for file in self.path.glob(pattern)]
        if pickled:
            raise CheckpointError(
                f"{self.path} has its weights as {pickled[0]}, which may run code when it is read:"
                " get the model as safetensors"
            )
        raise CheckpointError(f"{self.path} has no *.safetensors: it is not a whole checkpoint")

    def weigh(self) -> tuple[int, int, str]:
        """Numbers in all tensors, bytes of all shards, and the precision of most; from headers."""
        count, kinds = 0, Counter[str]()
        for file in set(self.shards.values()):
            with _opened(file) as tensors:
                for name in tensors.keys():  # noqa: SIM118 (not a mapping)
                    part = tensors.get_slice(name)
                    count += math.prod(part.get_shape())
                    kinds[part.get_dtype()] += math.prod(part.get_shape())
        size_bytes = sum(file.stat().st_size for file in set(self.shards.values()))
        return count, size_bytes, kinds.most_common(1)[0][0]

    def fill(
        self,
        model: nn.Module,
        dtype: torch.dtype,
        spelled: Callable[[str], str | Rows],
        device_of: Callable[[str], torch.device],
    ) -> None:
        """Give a model made on the meta device its weights.

        spelled    the name in the folder of a parameter of the model; parameters with one name
                   there share their memory
        device_of  where a parameter is to be
        """
        read: dict[str | Rows, Tensor] = {}
        for name, parameter in model.state_dict().items():
            stored = spelled(name)
            if stored not in read:
                read[stored] = self._tensor(stored, device_of(name)).to(dtype)
            if read[stored].shape != parameter.shape:
                raise CheckpointError(
                    f"{self.path}: {stored} has the shape {list(read[stored].shape)}, config.json"
                    f" says {list(parameter.shape)}"
                )
        weights = {name: read[spelled(name)] for name in model.state_dict()}
        model.load_state_dict(weights, assign=True)
        model.requires_grad_(requires_grad=False).eval()

    def _tensor(self, stored: str | Rows, device: torch.device) -> Tensor:
        if isinstance(stored, Rows):
            return self._tensor(stored.name, device)[stored.start : stored.stop]
        name = stored
        file = self.shards.get(name)
        if file is None:
            raise CheckpointError(f"{self.path} has no tensor {name}, which its family has")
        with _opened(file, str(device)) as tensors:
            found: Tensor = tensors.get_tensor(name)
        if found.dtype not in _FLOATS:
            kind = str(found.dtype).removeprefix("torch.")
            raise CheckpointError(
                f"{self.path}: {name} is {kind}, this engine reads bfloat16, float16 and float32"
            )
        return found


def _names(file: Path) -> list[str]:
    with _opened(file) as tensors:
        return list(tensors.keys())


@contextmanager
def _opened(file: Path, device: str = "cpu") -> Generator[Any, None, None]:
    """A file of tensors. Raises CheckpointError."""
    try:
        with safe_open(file, framework="pt", device=device) as tensors:
            yield tensors
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} is truncated or no safetensors: {error}") from error
