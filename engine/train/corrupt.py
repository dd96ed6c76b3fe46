"""Noise: which slots of a canvas are hidden, which are made wrong, and what each is worth.

Noise times are drawn in antithetic pairs (t, 1 - t) from a bell over (0, 1), with a fixed share at
1: decoding begins there. A canvas keeps at least one hidden slot. Weights are the clipped 1/t
of the masked-diffusion bound (clip: GIDD, arXiv:2503.04482). All hidden `<eom>` slots of one canvas
weigh as much as one token together (DreamOn, arXiv:2602.01326).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from engine.tokenizer import EOM, MASK, SPECIALS

_ALL_MASKED = 0.25
_CLIP = 3.0
_RIGHT_WEIGHT = 0.1
"""Of a visible token left right, while others are made wrong: it has to be known for right."""


class Noised(NamedTuple):
    """canvas_BNC as the model sees it, and weight_BNC of the loss on each slot (0: none)."""

    canvas_BNC: Tensor
    weight_BNC: Tensor


def corrupt(
    content_BNC: Tensor,
    used_BN: Tensor,
    edit_rate: float,
    vocabulary: int,
    generator: torch.Generator,
) -> Noised:
    """Hide slots, and make the share `edit_rate` of the visible tokens wrong, with loss on them."""
    device = content_BNC.device
    t_BN = _noise_times(used_BN.shape, generator, device)
    noise_BNC = torch.rand(content_BNC.shape, generator=generator, device=device)
    hidden_BNC = (noise_BNC < t_BN[..., None]) | (noise_BNC == noise_BNC.amin(-1, keepdim=True))
    weight_BNC = hidden_BNC * t_BN.reciprocal().clamp(max=_CLIP)[..., None]
    trailing_BNC = hidden_BNC & (content_BNC == EOM)
    weight_BNC = weight_BNC / torch.where(
        trailing_BNC, trailing_BNC.sum(-1, keepdim=True).clamp(min=1), 1
    )
    canvas_BNC = torch.where(hidden_BNC, MASK, content_BNC)
    if edit_rate > 0:
        chance_BNC = torch.rand(content_BNC.shape, generator=generator, device=device)
        wrong_BNC = ~hidden_BNC & (content_BNC != EOM) & (chance_BNC < edit_rate)
        random_BNC = torch.randint(
            len(SPECIALS), vocabulary, content_BNC.shape, generator=generator, device=device
        )
        canvas_BNC = torch.where(wrong_BNC, random_BNC, canvas_BNC)
        right_BNC = ~hidden_BNC & (content_BNC != EOM) & ~wrong_BNC
        weight_BNC = weight_BNC + wrong_BNC + right_BNC * _RIGHT_WEIGHT
    return Noised(canvas_BNC, weight_BNC * used_BN[..., None])


def _noise_times(shape: torch.Size, generator: torch.Generator, device: torch.device) -> Tensor:
    """Bell-shaped times [B, N] in (0, 1]: the mean of two uniforms, antithetic along N."""
    half = torch.rand(2, shape[0], (shape[1] + 1) // 2, generator=generator, device=device).mean(0)
    t_BN = torch.cat([half, 1 - half], 1)[:, : shape[1]].clamp(min=0.02)
    whole_BN = torch.rand(shape, generator=generator, device=device) < _ALL_MASKED
    return torch.where(whole_BN, torch.ones_like(t_BN), t_BN)
