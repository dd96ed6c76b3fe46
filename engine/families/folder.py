"""A folder in the format of the Hugging Face hub: config.json, *.safetensors, a tokenizer.

Weights are memory-mapped and read tensor by tensor. Never pickle, never remote code.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from engine.errors import CheckpointError

_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_FLOATS = ("BF16", "F16", "F32")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_LAYER = re.compile(r"(.*\.(?:layers|blocks)\.)\d+\.")
_COMPUTED = "rotary_emb.inv_freq"
"""What some checkpoints keep although it follows from config.json."""


class Rows(NamedTuple):
    """Some rows of a tensor in a folder, where a family keeps several parameters in one."""

    name: str
    start: int
    stop: int


Spelled = Callable[[str], str | Rows]
"""What a parameter of a model is called in a folder; those with one name there share memory."""


class Header(NamedTuple):
    """What a file says of a tensor before its numbers: where it is, its precision, its shape."""

    file: Path
    kind: str
    shape: tuple[int, ...]


class Folder:
    """What stands in a folder. Every method raises CheckpointError, one sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / "config.json").is_file():
            raise CheckpointError(f"{path} has no config.json: it is not the folder of a model")
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
        return named if isinstance(named, str) else str(named[0])

    @cached_property
    def names(self) -> str:
        """What the model is called, in small letters: the folder, the config, the card's title."""
        card = self.path / "README.md"
        lines = card.read_text(errors="replace").splitlines() if card.is_file() else []
        title = next((line for line in lines if line.startswith("# ")), "")
        return f"{self.path.name} {self.config.get('_name_or_path', '')} {title}".lower()

    def number(self, key: str, default: int | None = None) -> int:
        """A whole number of the config, at least 1; the default where it says none."""
        value = self.config.get(key) or default
        if type(value) is not int or value < 1:
            raise CheckpointError(f'{self.path}: config.json lacks a number "{key}"')
        return value

    def refuse_if_quantised(self) -> None:
        """Raises CheckpointError where the config says that the weights are packed."""
        packed = self.config.get("quantization_config") or self.config.get("compression_config")
        if packed:
            how = packed.get("quant_method", "") if isinstance(packed, dict) else ""
            raise CheckpointError(
                f"{self.path} has quantised weights ({how or 'quantization_config'}), which this"
                " engine does not read: take the model in bfloat16, which --device cpu+int8 or"
                " cuda+int8 packs when it is loaded"
            )

    @cached_property
    def tensors(self) -> dict[str, Header]:
        """What the files of weights say they hold, without reading it."""
        found: dict[str, Header] = {}
        for file in self._files:
            with _opened(file) as tensors:
                for name in tensors.keys():  # noqa: SIM118 (not a mapping)
                    part = tensors.get_slice(name)
                    found[name] = Header(file, part.get_dtype(), tuple(part.get_shape()))
        return found

    @property
    def _files(self) -> list[Path]:
        """Those that an index lists; without one model.safetensors, or all that end so."""
        single = self.path / _SINGLE
        if (self.path / _INDEX).is_file():
            listed = self.json(_INDEX).get("weight_map")
            if not isinstance(listed, dict) or not all(map(_is_text, listed.values())):
                raise CheckpointError(f"{self.path / _INDEX} is no index of weights")
            files = {self.path / Path(name).name for name in listed.values()}
        else:
            files = {single} if single.is_file() else {*self.path.glob("*.safetensors")}
        for file in sorted(files):
            if not file.is_file():
                raise CheckpointError(f"{self.path} lacks {file.name}: fetch it again")
        if not files:
            self._refuse_without_weights()
        return sorted(files)

    def _refuse_without_weights(self) -> None:
        pickled = [file.name for pattern in _PICKLES for file in self.path.glob(pattern)]
        if pickled:
            raise CheckpointError(
                f"{self.path} has its weights as {pickled[0]}, which may run code when it is read:"
                " get the model as safetensors"
            )
        raise CheckpointError(f"{self.path} has no *.safetensors: it is not a whole checkpoint")

    def weigh(self) -> tuple[int, int, str]:
        """Numbers in all tensors, bytes of all files, and the precision of most."""
        kinds = Counter[str]()
        for header in self.tensors.values():
            kinds[header.kind] += math.prod(header.shape)
        size_bytes = sum(file.stat().st_size for file in self._files)
        return kinds.total(), size_bytes, kinds.most_common(1)[0][0]

    def check(self, model: nn.Module, spelled: Spelled) -> None:
        """Raises CheckpointError where the weights are not those of a model on the meta device.

        Everything is looked at but the numbers. A tensor of a layer that the model would leave
        aside, such as a bias, is refused too: without it the model would be another one.
        """
        used: set[str] = set()
        for name, parameter in model.state_dict().items():
            stored = spelled(name)
            used.add(stored.name if isinstance(stored, Rows) else stored)
            self._check(stored, tuple(parameter.shape))
        stems = {found[1] for name in used if (found := _LAYER.match(name))}
        extra = [
            name
            for name in self.tensors.keys() - used
            if (found := _LAYER.match(name)) and found[1] in stems and not name.endswith(_COMPUTED)
        ]
        if extra and not self.config.get("num_nextn_predict_layers"):
            raise CheckpointError(
                f"{self.path} has a tensor {min(extra)}, which is not in the model that config.json"
                " tells of, as this engine knows it"
            )

    def _check(self, stored: str | Rows, wanted: tuple[int, ...]) -> None:
        name = stored.name if isinstance(stored, Rows) else stored
        header = self.tensors.get(name)
        if header is None:
            raise CheckpointError(f"{self.path} has no tensor {name}, which its family has")
        if header.kind not in _FLOATS:
            raise CheckpointError(
                f"{self.path}: {name} is {header.kind}, this engine reads bfloat16, float16 and"
                " float32"
            )
        shape = header.shape
        if isinstance(stored, Rows):
            shape = (max(min(stored.stop, shape[0]) - stored.start, 0), *shape[1:])
        if shape != wanted:
            raise CheckpointError(
                f"{self.path}: {name} has the shape {list(header.shape)}, which config.json does"
                " not say"
            )

    def fill(
        self,
        model: nn.Module,
        names: Iterable[str],
        dtype: torch.dtype,
        spelled: Spelled,
        device_of: Callable[[str], torch.device],
    ) -> None:
        """Give these parameters of a model on the meta device, which was checked, their weights.

        device_of  where a parameter is to be
        """
        stored = {name: spelled(name) for name in names}
        places = {part: device_of(name) for name, part in stored.items()}
        read: dict[str | Rows, Tensor] = {}
        by_file = sorted(places, key=self._file)
        for file, parts in groupby(by_file, key=self._file):
            with _opened(file) as tensors:  # once: a header of thousands takes its time
                for part in parts:
                    read[part] = _read(tensors, part).to(places[part], dtype)
        weights = {name: read[part] for name, part in stored.items()}
        model.load_state_dict(weights, strict=False, assign=True)

    def _file(self, stored: str | Rows) -> Path:
        return self.tensors[stored.name if isinstance(stored, Rows) else stored].file


def _read(tensors: Any, stored: str | Rows) -> Tensor:  # noqa: ANN401 - the library has no types
    if isinstance(stored, Rows):
        return tensors.get_tensor(stored.name)[stored.start : stored.stop]
    return tensors.get_tensor(stored)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


@contextmanager
def _opened(file: Path) -> Generator[Any, None, None]:
    """A file of tensors. Raises CheckpointError."""
    try:
        with safe_open(file, framework="pt") as tensors:
            yield tensors
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} is truncated or no safetensors: {error}") from error
