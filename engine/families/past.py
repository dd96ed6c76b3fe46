"""Tokens that were read, as keys and values.

Shape letters as in `transformer.py`.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class KeysValues(NamedTuple):
    """One layer of tokens that were read: keys, turned to their positions, and values."""

    keys_NKTE: Tensor
    values_NKTE: Tensor

    def before(self, new: "KeysValues") -> "KeysValues":
        """These tokens, then the new ones. What has one row serves any number of rows."""
        rows = new.keys_NKTE.shape[0]
        pairs = zip(self, new, strict=True)
        return KeysValues(*(torch.cat([o.expand(rows, -1, -1, -1), n], 2) for o, n in pairs))

    def within(self, start: int, stop: int) -> "KeysValues":
        """Some of these tokens."""
        return KeysValues(*(part[:, :, start:stop] for part in self))


Past = list[KeysValues]
"""Tokens that were read, layer by layer; [] is none."""


def cut(past: Past, tokens: int) -> Past:
    """The first so many tokens; [] for none."""
    return [layer.within(0, tokens) for layer in past] if tokens else []


def grown(past: Past, new: Past) -> Past:
    """A past with new tokens behind it."""
    return [old.before(fresh) for old, fresh in zip(past, new, strict=True)] if past else new


def length(past: Past) -> int:
    """How many tokens it has."""
    return past[0].keys_NKTE.shape[2] if past else 0
