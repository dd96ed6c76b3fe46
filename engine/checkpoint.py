"""A checkpoint is a folder: config.json, *.safetensors, tokenizer.json and SHA256SUMS over them.

Every file is checked against its sum before any of it is used. Never pickle, never remote code.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file  # pyright: ignore[reportUnknownVariableType]

from engine.errors import CheckpointError
from engine.model import Denoiser, DenoiserConfig
from engine.tokenizer import Tokenizer

FAMILY = "sfumato"

_SUMS = "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a folder held. `checksum` is the SHA-256 of its SHA256SUMS file, hexadecimal."""

    name: str
    model: Denoiser
    tokenizer: Tokenizer
    context_tokens: int
    checksum: str


def save(
    folder: Path, name: str, model: Denoiser, tokenizer: Tokenizer, context_tokens: int
) -> None:
    """Write a checkpoint with bfloat16 weights; an older one in `folder` is replaced at the end.

    context_tokens  the longest stream the model was trained on
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "family": FAMILY,
        "name": name,
        "context_tokens": context_tokens,
        "denoiser": asdict(model.config),
    }
    weights = {
        key: value.detach().to("cpu", torch.bfloat16).contiguous()
        for key, value in model.state_dict().items()
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(weights, folder / "model.safetensors")
    tokenizer.save(folder / "tokenizer.json")
    names = ("config.json", "model.safetensors", "tokenizer.json")
    sums = "".join(f"{_sha256(folder / name)}  {name}\n" for name in names)
    (folder / _SUMS).write_text(sums)


def load(folder: Path) -> Checkpoint:
    """Read and verify a checkpoint; the model is on the CPU, in float32, ready to be moved.

    Raises CheckpointError, in one sentence, for whatever is missing, altered or not ours.
    """
    checksum = verify(folder)
    try:
        config = json.loads((folder / "config.json").read_text())
        if config.get("family") != FAMILY:
            raise CheckpointError(
                f'{folder} is of the family "{config.get("family")}"; this engine knows "{FAMILY}"'
            )
        model = Denoiser(DenoiserConfig(**config["denoiser"]))
        weights: dict[str, torch.Tensor] = {}
        for shard in sorted(folder.glob("*.safetensors")):
            weights |= load_file(shard)
        model.load_state_dict(weights)
        tokenizer = Tokenizer.load(folder / "tokenizer.json")
        if tokenizer.size > model.config.vocabulary:
            raise CheckpointError(
                f"{folder}: the tokenizer has {tokenizer.size} tokens, the model"
                f" {model.config.vocabulary}: these files are of different checkpoints"
            )
        name, context_tokens = str(config["name"]), int(config["context_tokens"])
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{folder} is not a usable checkpoint: {reason}") from error
    return Checkpoint(name, model.eval(), tokenizer, context_tokens, checksum)


def verify(folder: Path) -> str:
    """Compare every file with its sum; returns the checkpoint's checksum.

    Raises CheckpointError when the folder, the sums or a file is missing, or a file was altered.
    """
    if not folder.is_dir():
        raise CheckpointError(f"no checkpoint at {folder}: give the folder of a trained model")
    try:
        listing = (folder / _SUMS).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{folder} has no {_SUMS}: it is not a whole checkpoint") from error
    for line in listing.decode(errors="replace").splitlines():
        expected, _, name = line.partition("  ")
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} lacks {name}: fetch or export the checkpoint again")
        if _sha256(folder / name) != expected:
            raise CheckpointError(f"{folder / name} is truncated or altered: its checksum differs")
    return hashlib.sha256(listing).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
