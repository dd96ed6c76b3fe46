"""A checkpoint is a folder: config.json, *.safetensors, tokenizer.json and SHA256SUMS over them.

Every file is checked against its sum before any of it is used. Never pickle, never remote code.
"""

import hashlib
import json
import shutil
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
_LONGEST_NAME = 200


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

    Raises CheckpointError when it cannot be written; the older one is whole then.
    """
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        _write(fresh, name, model, tokenizer, context_tokens)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise CheckpointError(f"a checkpoint could not be written to {folder}: {error}") from error


def _write(
    folder: Path, name: str, model: Denoiser, tokenizer: Tokenizer, context_tokens: int
) -> None:
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
    folder.mkdir(parents=True)
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
    names, checksum = _verified(folder)
    try:
        config = json.loads((folder / "config.json").read_text())
        _refuse_other_family(folder, config.get("family"))
        model = Denoiser(DenoiserConfig(**config["denoiser"]))
        weights: dict[str, torch.Tensor] = {}
        for shard in (name for name in names if name.endswith(".safetensors")):
            weights |= load_file(folder / shard)
        model.load_state_dict(weights)
        tokenizer = Tokenizer.load(folder / "tokenizer.json")
        _refuse_other_tokenizer(folder, tokenizer.size, model.config.vocabulary)
        name, context_tokens = str(config["name"]), int(config["context_tokens"])
    except CheckpointError:
        raise
    except Exception as error:  # what a file that is not ours raises has no end
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise CheckpointError(f"{folder} is not a usable checkpoint: {reason:.300}") from error
    return Checkpoint(name, model.eval(), tokenizer, context_tokens, checksum)


def verify(folder: Path) -> str:
    """Compare every file with its sum; returns the checkpoint's checksum.

    Raises CheckpointError when the folder, the sums or a file is missing, or a file was altered.
    """
    return _verified(folder)[1]


def _verified(folder: Path) -> tuple[list[str], str]:
    """The files that the sums vouch for, and the checksum of the sums."""
    if not folder.is_dir():
        raise CheckpointError(f"no checkpoint at {folder}: give the folder of a trained model")
    try:
        listing = (folder / _SUMS).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{folder} has no {_SUMS}: it is not a whole checkpoint") from error
    names: list[str] = []
    for line in listing.decode(errors="replace").splitlines():
        expected, _, name = line.partition("  ")
        if not name or len(name) > _LONGEST_NAME:
            raise CheckpointError(f"{folder / _SUMS} is not a list of sums and file names")
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} lacks {name}: fetch or export the checkpoint again")
        if _sha256(folder / name) != expected:
            raise CheckpointError(f"{folder / name} is truncated or altered: its checksum differs")
        names.append(name)
    return names, hashlib.sha256(listing).hexdigest()


def _refuse_other_family(folder: Path, family: object) -> None:
    if family != FAMILY:
        raise CheckpointError(f'{folder} is of the family "{family}"; this engine knows "{FAMILY}"')


def _refuse_other_tokenizer(folder: Path, tokens: int, vocabulary: int) -> None:
    if tokens > vocabulary:
        raise CheckpointError(
            f"{folder}: the tokenizer has {tokens} tokens, the model {vocabulary}: these files are"
            " of different checkpoints"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
