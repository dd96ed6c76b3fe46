"""The canvas: rows of slots that are known, filled or masked. The only writer of its tokens.

Rows are alternatives for the same hole, N of them, C slots each. A *known* slot was given and never
changes; a *filled* one was unmasked and may be masked again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from engine.repair import Lattice
from engine.tokenizer import EOM, MASK

ALTERNATIVES = 8
"""Tokens of a slot that count as nearly chosen."""
_OFTEN = 2**31


class Thought(NamedTuple):
    """Log-probabilities [X, V] of X places (bool), row after row."""

    places_NC: Tensor
    log_probs_XV: Tensor

    def of_row(self, index: int) -> "Thought":
        """What concerns one row."""
        first, count = int(self.places_NC[:index].sum()), int(self.places_NC[index].sum())
        return Thought(self.places_NC[index : index + 1], self.log_probs_XV[first : first + count])


class Before(NamedTuple):
    """What stood in the slots before a pass, and its log-probability."""

    tokens_NC: Tensor
    masked_NC: Tensor
    nats_NC: Tensor


@dataclass(slots=True)
class Canvas:
    """tokens_NC, known_NC, masked_NC and what was thought of each slot when it was last unmasked.

    nats_NC     float32, log-probability of the slot's token; 0 where known
    revoked_NC  int64, how often the slot was masked again
    added_NC    slots that edits made, masked when they came
    thoughts    what was nearly written, oldest first: sorted out only where a fill is mended
    """

    tokens_NC: Tensor
    known_NC: Tensor
    masked_NC: Tensor
    nats_NC: Tensor
    revoked_NC: Tensor
    added_NC: Tensor
    thoughts: list[Thought] = field(default_factory=list[Thought])

    @classmethod
    def blank(cls, lengths: Sequence[int], slots: int, device: torch.device) -> "Canvas":
        """One row per length: masked up to it, known `<eom>` from there on."""
        places_C = torch.arange(slots, device=device)
        masked_NC = places_C < torch.tensor(lengths, device=device)[:, None]
        return cls(
            tokens_NC=torch.where(masked_NC, MASK, EOM),
            known_NC=~masked_NC,
            masked_NC=masked_NC,
            nats_NC=torch.zeros(masked_NC.shape, device=device),
            revoked_NC=torch.zeros_like(masked_NC, dtype=torch.int64),
            added_NC=torch.zeros_like(masked_NC),
        )

    @property
    def filled_NC(self) -> Tensor:
        """Slots that were unmasked: neither known nor masked."""
        return ~(self.known_NC | self.masked_NC)

    @property
    def seeded_N(self) -> Tensor:
        """Rows that began as a guess."""
        return self.revoked_NC[:, 0] >= _OFTEN

    @property
    def before(self) -> Before:
        """What `edit` wants to know of the canvas as it is now, for after the next pass."""
        return Before(self.tokens_NC, self.masked_NC, self.nats_NC)

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
        self.nats_NC = self.nats_NC.masked_scatter(places_NC, own_X)
        self.thoughts.append(Thought(places_NC, log_probs_XV))

    def revoke(self, places_NC: Tensor) -> None:
        """Mask filled slots again, and count it."""
        self.tokens_NC = torch.where(places_NC, MASK, self.tokens_NC)
        self.masked_NC = self.masked_NC | places_NC
        self.revoked_NC = self.revoked_NC + places_NC

    def close(self, breaks_V: Tensor, lines: int) -> None:
        """Let every row end at the first EOM it was filled with, or behind so many line breaks.

        breaks_V  bool, the tokens that break a line
        """
        breaks_NC = breaks_V[self.tokens_NC].long()
        ended_NC = (self.tokens_NC == EOM).cumsum(1) > 0
        ended_NC = ended_NC | (breaks_NC.cumsum(1) - breaks_NC >= lines)
        self.tokens_NC = torch.where(ended_NC, EOM, self.tokens_NC)
        self.masked_NC = self.masked_NC & ~ended_NC
        self.known_NC = self.known_NC | ended_NC

    def reflow(self, expand: int) -> None:
        """Make two masked slots of every one filled with `expand`, and none of one with EOM.

        Where a row has been filled with EOM, masked slots behind it vanish too. Where there is no
        room for two slots, it is one.
        """
        orders = [self._reflowed(row, expand) for row in range(len(self.tokens_NC))]
        self._move(torch.tensor(orders, device=self.tokens_NC.device))

    def edit(self, delete: int, insert: int, before: Before) -> None:
        """Take out every slot filled with `delete`; put a masked one before each with `insert`.

        The latter is again what it was before the pass. A row keeps its length: its end falls off,
        or masked slots come there.
        """
        inserts_NC = ~self.known_NC & (self.tokens_NC == insert)
        self.tokens_NC = torch.where(inserts_NC, before.tokens_NC, self.tokens_NC)
        self.nats_NC = torch.where(inserts_NC, before.nats_NC, self.nats_NC)
        self.masked_NC = self.masked_NC | (inserts_NC & before.masked_NC)
        slots, orders = self.tokens_NC.shape[1], list[list[int]]()
        for row, tokens in enumerate(self.tokens_NC.tolist()):
            length, inserts = self.length(row), inserts_NC[row].tolist()
            kept = [slot for slot in range(length) if tokens[slot] != delete]
            order = [place for slot in kept for place in ([slots] * inserts[slot] + [slot])]
            order = (order + [slots] * length)[:length]
            orders.append(order + [slots + 1] * (slots - length))
        order_NC = torch.tensor(orders, device=self.tokens_NC.device)
        self._move(order_NC)
        self.added_NC = self.added_NC | (order_NC == slots)

    def _move(self, order_NC: Tensor) -> None:
        """Put these slots in each place; C is a masked one, C + 1 none."""
        slots = order_NC.shape[1]
        stays_NS = torch.zeros_like(torch.cat([self.known_NC, self.known_NC[:, :2]], 1))
        stays_NC = stays_NS.scatter(1, order_NC, value=True)[:, :slots]
        self.thoughts = [
            Thought(_moved(places_NC, order_NC, (False, False)), thought_XV[stays_NC[places_NC]])
            for places_NC, thought_XV in self.thoughts
        ]
        self.tokens_NC = _moved(self.tokens_NC, order_NC, (MASK, EOM))
        self.known_NC = _moved(self.known_NC, order_NC, (False, True))
        self.masked_NC = _moved(self.masked_NC, order_NC, (True, False))
        self.nats_NC = _moved(self.nats_NC, order_NC, (0, 0))
        self.revoked_NC = _moved(self.revoked_NC, order_NC, (0, 0))
        self.added_NC = _moved(self.added_NC, order_NC, (False, False))

    def _reflowed(self, row: int, expand: int) -> list[int]:
        """The slot to put in each place, as `_move` wants it."""
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
        own = slice(index, index + 1)
        return Canvas(
            self.tokens_NC[own],
            self.known_NC[own],
            self.masked_NC[own],
            self.nats_NC[own],
            self.revoked_NC[own],
            self.added_NC[own],
            [thought.of_row(index) for thought in self.thoughts],
        )

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
        candidates: list[list[tuple[int, float]]] = [[] for _ in range(length)]
        for thought in self.thoughts:
            places_NC, log_probs_XV = thought.of_row(0)
            best = log_probs_XV.topk(ALTERNATIVES, dim=1)
            rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
            for place, row in zip(places_NC[0].nonzero()[:, 0].tolist(), rows, strict=True):
                candidates[place] = list(zip(*row, strict=True))
        return Lattice(self.tokens_NC[0, :length].tolist(), candidates, frozen=set())


def _moved(values_NC: Tensor, order_NC: Tensor, added: tuple[int, int]) -> Tensor:
    """The values in another order of slots; slots C and C + 1 have the two that are added."""
    added_N2 = values_NC.new_tensor([added]).expand(len(values_NC), -1)
    return torch.cat([values_NC, added_N2], 1).gather(1, order_NC)
