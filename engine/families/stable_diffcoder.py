"""Stable-DiffCoder: Seed-Coder, which is a Llama, trained on to see in blocks of four.

Its config calls it a `LlamaForCausalLM`, as thousands that read left to right; only `auto_map` says
that it is none of them. It keeps Seed-Coder's prompt to fill in the middle, suffix first.

Checkpoints: ByteDance-Seed/Stable-DiffCoder-8B-Base and -Instruct.
Source: arXiv:2601.15892; generate_block of the checkpoints' code, which unmasks one place a pass;
here those that are 0.9 sure do not wait (Fast-dLLM, arXiv:2505.22618). Prompt: Seed-Coder,
arXiv:2506.03524.
"""

from engine.families.blockwise import BlockLayout, SuffixFirst, blockwise
from engine.families.codec import codec_of
from engine.families.folder import Folder
from engine.families.model import Plan
from engine.families.stack import shape_of

_BLOCK = 4
_CONFIDENT = 0.9
_MASK_NAME, _MASK = "<[MASK_TOKEN]>", 5
_PROMPT = ("<[fim-suffix]>", "<[fim-prefix]>", "<[fim-middle]>")


def claims(folder: Folder) -> bool:
    """Is this one of these checkpoints?"""
    classes = (folder.architecture, *(folder.config.get("auto_map") or {}).values())
    return any("diffcoder" in str(one).lower() for one in classes)


def plan(folder: Folder) -> Plan:
    """Raises CheckpointError."""
    codec = codec_of(folder)
    marks = [codec.specials[name] for name in _PROMPT if name in codec.specials]
    layout = BlockLayout(
        block=_BLOCK,
        mask=codec.mask(folder.config, codec.specials.get(_MASK_NAME, _MASK)),
        end=codec.end(folder.config),
        prompt=SuffixFirst(*marks) if len(marks) == len(_PROMPT) else None,
    )
    return blockwise(folder, codec, shape_of(folder), layout, _CONFIDENT)
