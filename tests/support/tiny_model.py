"""A tokenizer, a denoiser and a checkpoint made in milliseconds: small, random, and whole.

The weights are drawn wide, so that a random model has opinions: as initialised for training, each
layer is the identity, and a test of attention would pass with no attention at all.
"""

import random
from functools import cache
from pathlib import Path

import torch

from engine import checkpoint
from engine.device import Placement
from engine.model import Denoiser, DenoiserConfig
from engine.tokenizer import Tokenizer

CONTEXT_TOKENS = 512
CPU = Placement(torch.device("cpu"), torch.float32, 1)

_NOUNS = ("item", "value", "name", "total", "row", "count", "node", "path", "user", "key")
_VERBS = ("load", "store", "merge", "split", "parse", "render", "find", "drop", "read", "write")


def source_code(functions: int, seed: int) -> str:
    """Python that looks like someone's: a function after the other, no two the same."""
    rng = random.Random(seed)
    return "\n\n".join(_function(rng) for _ in range(functions)) + "\n"


def _function(rng: random.Random) -> str:
    verb, (one, two, three) = rng.choice(_VERBS), rng.sample(_NOUNS, 3)
    return (
        f"def {verb}_{one}({two}, {three}={rng.randint(0, 99)}):\n"
        f'    """{verb.title()} the {one} of a {two}."""\n'
        f"    if {two} is None:\n"
        f"        return [{three}, {rng.randint(0, 9)}]\n"
        f"    for {one} in {two}:\n"
        f"        {three} += {one}.{verb}({two}[{three}])\n"
        f"    return {three}"
    )


@cache
def tiny_tokenizer() -> Tokenizer:
    """480 tokens of the code that `source_code` writes."""
    return Tokenizer.train([source_code(300, seed=0)], 480)


def tiny_denoiser(seed: int = 0, layers: int = 2) -> Denoiser:
    """Two layers of width 32 with random weights, in float32."""
    config = DenoiserConfig(
        tiny_tokenizer().size, 32, layers, heads=4, kv_heads=2, hidden=48, pointer=True
    )
    model = Denoiser(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=2 * parameter.shape[-1] ** -0.5, generator=generator)
    return model.eval()


def write_tiny_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A checkpoint that loads and fills holes, with nonsense."""
    checkpoint.save(folder, "tiny", tiny_denoiser(seed), tiny_tokenizer(), CONTEXT_TOKENS)
    return folder


def tiny_checkpoint(model: Denoiser, context_tokens: int = CONTEXT_TOKENS) -> checkpoint.Checkpoint:
    """What loading a folder would give, with no folder."""
    return checkpoint.Checkpoint("tiny", model, tiny_tokenizer(), context_tokens, "")
