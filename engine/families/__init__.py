"""The door between the engine and a checkpoint of any family.

What the engine needs of a model is a `Model` (`engine/families/model.py`): values that never
change, in its `Traits`, and two methods.

    streams(language, head, tail)   the text on both sides of the hole -> prefix and suffix tokens
    read(prefix, suffix, done)      those, and what is filled so far -> a `Reading`: a Look bound to
                                    this context, and what reading it took

Everything else is behind those two: attention, cache, positions, the shift of logits, special
tokens around the text, prompts. The sampling loop never asks which family it is. What it has to
know of a family comes as values, all in the traits:

    tokenizer    text to ids and back; encode(decode(ids)) may differ, decode(encode(text)) may not
    vocabulary   which ids stand for no text, which break a line
    lengths      a LengthControl: how the length of a hole becomes known. `EndOfMiddle` reads it off
                 a blank canvas; others are in `engine/lengths.py`
    rule         how its authors sample: order, passes, temperature
    slots        sizes of a canvas, smallest first; a hole that is longer goes on block after block,
                 what was filled before coming back as `done`
    fill_tokens  the longest fill

**Ids.** In a canvas every model speaks the engine's ids: 0 is a masked slot (`MASK`), 1 the end of
the middle (`EOM`). Another family's own token i is the engine's i + OFFSET. A tokenizer gives and
takes the engine's ids; a Look translates, MASK into the family's mask, EOM into whatever ends a
text there, and gives log-probabilities [P, OFFSET + V].

**Rows.** A row of a canvas is as long as it has slots before its first EOM, which comes nowhere but
at the end; the look leaves the EOM slots away, or reads them as the family's padding. All rows of
one look are alternatives for the same hole and may differ in length.

**A family** is a module here with two functions: `claims(folder)` says, from what stands in the
folder (never `model_type` alone), whether the folder is one of its checkpoints, and `plan(folder)`
says how it is made and used, or raises CheckpointError with one sentence. The plan has `facts` for
people and `load(placement)`, which gives the Model. Weights are safetensors, read through
`engine/families/folder.py`. Nothing is unpickled, and nothing in a folder is run.
"""

from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from engine import checkpoint
from engine.device import Placement
from engine.errors import CheckpointError
from engine.families import (
    a2d,
    diffusion_gemma,
    fast_dllm,
    fim,
    llada,
    llada2,
    llada_moe,
    qwen,
    sdar,
    sfumato,
    stable_diffcoder,
)
from engine.families.folder import Folder
from engine.families.model import Facts, Model, Plan, Reading, Traits
from engine.remote import endpoint

__all__ = [
    "Description",
    "Facts",
    "Model",
    "Reading",
    "Traits",
    "describe",
    "is_ours",
    "load",
    "refuse_unless_known",
]

_FAMILIES = (
    qwen,
    a2d,
    sdar,
    fast_dllm,
    llada,
    llada_moe,
    llada2,
    stable_diffcoder,
    diffusion_gemma,
    fim,
)


class Description(NamedTuple):
    """What a folder holds, as far as can be said without reading the weights."""

    family: str
    parameters: int
    size_bytes: int
    dtype: str
    facts: Facts


def load(path: Path, placement: Placement) -> Model:
    """The model in a folder, of whichever family. Raises CheckpointError."""
    if endpoint.is_in(path):
        raise CheckpointError(f"{path} says where a server is: a model that runs here is needed")
    if is_ours(path):
        return sfumato.load(path, placement)
    _, plan, _ = _understood(path)
    return plan.load(placement)


def describe(path: Path) -> Description:
    """Raises CheckpointError where `load` would; the weights are not read."""
    if is_ours(path):
        checkpoint.verify(path)
        return Description(checkpoint.FAMILY, *Folder(path).weigh(), sfumato.FACTS)
    folder, plan, family = _understood(path)
    plan.check()
    return Description(f"{folder.architecture} ({family})", *folder.weigh(), plan.facts)


def refuse_unless_known(path: Path) -> None:
    """Raises CheckpointError where all but the weights says that `load` would."""
    if not is_ours(path):
        _understood(path)


def _understood(path: Path) -> tuple[Folder, Plan, str]:
    """A folder of others, its plan, and the family's name. Raises CheckpointError."""
    folder = Folder(path)
    folder.refuse_if_quantised()
    try:
        family = _family(folder)
        return folder, family.plan(folder), family.__name__.rpartition(".")[2]
    except (TypeError, ValueError, KeyError, AttributeError) as error:  # JSON of any shape
        raise CheckpointError(
            f"{path}: config.json or the tokenizer's files are not as this family has them:"
            f" {error!r}"
        ) from error


def _family(folder: Folder) -> ModuleType:
    for family in _FAMILIES:
        if family.claims(folder):
            return family
    raise CheckpointError(
        f'{folder.path} holds a "{folder.architecture}", which is of no family that this engine'
        " knows; docs/models.md lists them"
    )


def is_ours(path: Path) -> bool:
    """Our own folders, whole or not, are known by their sums or their family."""
    return (path / "SHA256SUMS").is_file() or "family" in Folder(path).config
