"""How models were taught to be asked for the middle, as their makers publish it.

Needed for servers that take a finished prompt, such as vLLM, which refuses `suffix`.
"""

import re

TEMPLATES = {
    "qwen": "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
    "starcoder": "<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
    "deepseek": "<｜fim▁begin｜>{prefix}<｜fim▁hole｜>{suffix}<｜fim▁end｜>",
    "codellama": "<PRE> {prefix} <SUF>{suffix} <MID>",
    "codestral": "[SUFFIX]{suffix}[PREFIX]{prefix}",
    "seed-coder": "<[fim-suffix]>{suffix}<[fim-prefix]>{prefix}<[fim-middle]>",
}
"""By the model that had it first."""

_FOLLOWERS = {
    "codegemma": "qwen",
    "granite": "starcoder",
    "stable-code": "starcoder",
    "devstral": "codestral",
}

END_MARKS = (
    "<|endoftext|>",
    "<|fim_pad|>",
    "<|file_sep|>",
    "<|file_separator|>",
    "<|repo_name|>",
    "<|im_end|>",
    "<｜end▁of▁sentence｜>",
    "<EOT>",
)
"""Tokens that end a fill; some servers write them out."""


def template_for(model: str) -> str:
    """The template of a model by its name, such as "Qwen/Qwen2.5-Coder-1.5B"; "" if unknown."""
    name = model.lower()
    for known in (*TEMPLATES, *_FOLLOWERS):
        if known in name:
            return TEMPLATES[_FOLLOWERS.get(known, known)]
    return ""


def filled(template: str, prefix: str, suffix: str) -> str:
    """The prompt. In one pass: the code itself may hold {suffix}."""
    parts = {"{prefix}": prefix, "{suffix}": suffix}
    return re.sub(r"\{(?:pre|suf)fix\}", lambda found: parts[found[0]], template)
