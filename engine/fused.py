"""The attention of many canvases in one kernel, which passes over what none of them sees.

`Block.look` writes all scores of all canvases out, which in training on an accelerator costs more
memory traffic than the products cost arithmetic. FlexAttention makes them block by block. One
softmax spans keys that a query meets at two positions: the prefix and the canvas itself from where
the slot stands, the suffix from the hole's edge. So a query is given twice, turned to either, one
half behind the other, and a key has zeros where it is not to be met.

Shape letters as in `engine/model.py`; L = N * C slots, S keys: the prefix, the suffix, the slots.

Source: FlexAttention, arXiv:2412.05496.
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention


def visible(sight: tuple[Tensor, Tensor], tokens: tuple[int, int], slots: int) -> BlockMask:
    """Which keys each slot sees: so much of the streams as its canvas does, and its canvas.

    sight   how many tokens of prefix and suffix each canvas sees, int64 [B, N]
    tokens  how many these streams have
    slots   C
    """
    prefix_BN, suffix_BN = sight
    near, context = tokens[0], sum(tokens)
    chunks, canvases = prefix_BN.shape

    def sees(chunk: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        del head
        canvas = query // slots
        in_prefix = key < prefix_BN[chunk, canvas]
        in_suffix = (key >= near) & (key < near + suffix_BN[chunk, canvas])
        in_canvas = (key >= context) & ((key - context) // slots == canvas)
        return in_prefix | in_suffix | in_canvas

    total = canvases * slots
    return create_block_mask(
        sees, chunks, None, total, context + total, device=str(prefix_BN.device)
    )


def attend(
    here_BNCHE: Tensor,
    edge_BNCHE: Tensor,
    own: tuple[Tensor, Tensor],
    near: tuple[Tensor, Tensor],
    far: tuple[Tensor, Tensor],
    seen: BlockMask,
) -> Tensor:
    """What each slot gathers, [B, N, C, H * E].

    here_BNCHE, edge_BNCHE  queries, divided by the root of E, turned to where they stand and to
                            the hole's edge
    own                     keys and values of the canvases, [B, N, C, K, E]
    near, far               those of the streams, [B, K, T, E]
    """
    keys_BKLE, values_BKLE = (each.flatten(1, 2).transpose(1, 2) for each in own)
    queries = torch.cat([here_BNCHE, edge_BNCHE], -1).flatten(1, 2).transpose(1, 2)
    keys = torch.cat([_first(near[0]), _second(far[0]), _first(keys_BKLE)], 2)
    values = torch.cat([near[1], far[1], values_BKLE], 2)
    mixed_BHLE = flex_attention(
        queries.to(values.dtype),
        keys.to(values.dtype),
        values,
        block_mask=seen,
        scale=1.0,
        enable_gqa=True,
    )
    assert isinstance(mixed_BHLE, Tensor)  # it gives more only if asked
    return mixed_BHLE.transpose(1, 2).flatten(2).unflatten(1, here_BNCHE.shape[1:3])


def _first(keys: Tensor) -> Tensor:
    """Keys [.., E] that are met by the first half of a query [.., 2E]."""
    return F.pad(keys, (0, keys.shape[-1]))


def _second(keys: Tensor) -> Tensor:
    return F.pad(keys, (keys.shape[-1], 0))
