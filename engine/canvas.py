"""The canvas: rows of slots that are known, filled or masked. The only writer of its tokens.

Rows are alternatives for the same hole, N of them, C slots each. A *known* slot was given and never
changes; a *filled* one was unmasked and may be masked again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.repair import Lattice
from engine.tokenizer import EOM, MASK

ALTERNATIVES = 8
"""Tokens remembered per slot as what was nearly chosen."""
_OFTEN = 2**31


@dataclass(slots=True)
class Canvas:
    """tokens_NC, known_NC, masked_NC and what was thought of each slot when it was last unmasked.

    nats_NC         float32, log-probability of the slot's token; 0 where known
    candidates_NCA  int64, the A most probable tokens of each slot, best first
    candidate_nats_NCA  float32, their log-probabilities
    revoked_NC      int64, how often the slot was masked again
    """

    tokens_NC: Tensor
    known_NC: Tensor
    masked_NC: Tensor
    nats_NC: Tensor
    candidates_NCA: Tensor
    candidate_nats_NCA: Tensor
    revoked_NC: Tensor

    @classmethod
    def blank(cls, lengths: Sequence[int], slots: int, device: torch.device) -> "Canvas":
        """One row per length: masked up to it, known `<eom>` from there on."""
        places_C = torch.arange(slots, device=device)
        masked_NC = places_C < torch.tensor(lengths, device=device)[:, None]
        shape = (*masked_NC.shape, ALTERNATIVES)
        return cls(
            tokens_NC=torch.where(masked_NC, MASK, EOM),
            known_NC=~masked_NC,
            masked_NC=masked_NC,
            nats_NC=torch.zeros(masked_NC.shape, device=device),
            candidates_NCA=torch.zeros(shape, dtype=torch.int64, device=device),
            candidate_nats_NCA=torch.zeros(shape, device=device),
            revoked_NC=torch.zeros_like(masked_NC, dtype=torch.int64),
        )

    @property
    def filled_NC(self) -> Tensor:
        """Slots that were unmasked: neither known nor masked."""
        return ~(self.known_NC | self.masked_NC)

    def seed(self, index: int, tokens: Sequence[int]) -> None:
        """Fill a row, masked so far, with a guess of as many tokens as the row is long.

        The sampler takes it as it is: its places count as revoked as often as any rule allows.
        Where the guess has MASK, nothing is guessed.
        """
        length = self.length(index)
        if len(tokens) != length:
            raise ValueError(f"{len(tokens)} tokens for a row of {length}")
        self.tokens_NC[index, :length] = torch.tensor(tokens, device=self.tokens_NC.device)
        self.masked_NC[index] = self.masked_NC[index] & (self.tokens_NC[index] == MASK)
        self.revoked_NC[index] = _OFTEN

    def judge(self, places_NC: Tensor, log_probs_XV: Tensor) -> None:
        """Note what a denoiser that did not see the tokens of these X filled slots thinks of them.

        log_probs_XV  row after row
        """
        self._note(places_NC, self.tokens_NC[places_NC], log_probs_XV)

    def unmask(self, chosen_NC: Tensor, proposal_X: Tensor, log_probs_XV: Tensor) -> None:
        """Fill the X chosen slots, of which none may be known, with proposals, row after row."""
        self.tokens_NC = self.tokens_NC.masked_scatter(chosen_NC, proposal_X)
        self.masked_NC = self.masked_NC & ~chosen_NC
        self._note(chosen_NC, proposal_X, log_probs_XV)

    def _note(self, places_NC: Tensor, tokens_X: Tensor, log_probs_XV: Tensor) -> None:
        own_X = log_probs_XV.gather(1, tokens_X[:, None])[:, 0]
        best = log_probs_XV.topk(ALTERNATIVES, dim=1)
        places_NC1 = places_NC[..., None]
        self.nats_NC = self.nats_NC.masked_scatter(places_NC, own_X)
        self.candidates_NCA = self.candidates_NCA.masked_scatter(places_NC1, best.indices)
        self.candidate_nats_NCA = self.candidate_nats_NCA.masked_scatter(places_NC1, best.values)

    def revoke(self, places_NC: Tensor) -> None:
        """Mask filled slots again, and count it."""
        self.tokens_NC = torch.where(places_NC, MASK, self.tokens_NC)
        self.masked_NC = self.masked_NC | places_NC
        self.revoked_NC = self.revoked_NC + places_NC

    def close(self) -> None:
        """Let every row end at the first EOM it was filled with."""
        ended_NC = (self.tokens_NC == EOM).cumsum(1) > 0
        self.tokens_NC = torch.where(ended_NC, EOM, self.tokens_NC)
        self.masked_NC = self.masked_NC & ~ended_NC
        self.known_NC = self.known_NC | ended_NC

    def reflow(self, expand: int) -> None:
        """Make two masked slots of every one filled with `expand`, and none of one with EOM.

        Where a row has been filled with EOM, masked slots behind it vanish too. Where there is no
        room for two slots, it is one.
        """
        orders = [self._reflowed(row, expand) for row in range(len(self.tokens_NC))]
        order_NC = torch.tensor(orders, device=self.tokens_NC.device)
        end = self.blank([1], 2, order_NC.device)  # one masked slot, one known to be none
        for name in self.__slots__:
            added = getattr(end, name).expand(len(orders), *[-1] * (getattr(end, name).ndim - 1))
            whole = torch.cat([getattr(self, name), added], 1)
            index = (
                order_NC if whole.ndim == 2 else order_NC[..., None].expand(-1, -1, ALTERNATIVES)
            )
            setattr(self, name, whole.gather(1, index))

    def _reflowed(self, row: int, expand: int) -> list[int]:
        """The slot to put in each place; C for a masked one, C + 1 for none."""
        slots = self.tokens_NC.shape[1]
        order: list[int] = []
        tokens: list[int] = self.tokens_NC[row, : self.length(row)].tolist()
        first = tokens.index(EOM) if EOM in tokens else slots
        kept = [
            slot
            for slot, token in enumerate(tokens)
            if token != EOM and not (slot > first and token == MASK)
        ]
        room = slots - len(kept)
        for slot in kept:
            grows = tokens[slot] == expand
            order += [slots] * (1 + (room > 0)) if grows else [slot]
            room -= grows
        return order + [slots + 1] * (slots - len(order))

    def row(self, index: int) -> "Canvas":
        """A canvas of one row, sharing no tensor that is written later."""
        return Canvas(*(getattr(self, name)[index : index + 1] for name in self.__slots__))

    def remasked(self, places: Iterable[int]) -> "Canvas":
        """A one-row copy with these filled places masked again."""
        fresh = self.row(0)
        marked_NC = torch.zeros_like(fresh.masked_NC)
        marked_NC[0, sorted(places)] = True
        fresh.revoke(marked_NC & fresh.filled_NC)
        return fresh

    def length(self, index: int) -> int:
        """Slots of a row before its known end."""
        return int((~self.known_NC[index]).sum())

    def mean_nats(self, index: int) -> float:
        """Mean log-probability of a row's tokens; 0 for an empty row."""
        length = self.length(index)
        return float(self.nats_NC[index, :length].mean()) if length else 0.0

    def lattice(self) -> Lattice:
        """The first row as `engine.repair` wants it. All its slots must be filled or known."""
        length = self.length(0)
        chosen: list[int] = self.tokens_NC[0, :length].tolist()
        tokens: list[list[int]] = self.candidates_NCA[0, :length].tolist()
        nats: list[list[float]] = self.candidate_nats_NCA[0, :length].tolist()
        pairs = [list(zip(t, n, strict=True)) for t, n in zip(tokens, nats, strict=True)]
        return Lattice(chosen, pairs, frozen=set())
