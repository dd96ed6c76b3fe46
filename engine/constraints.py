"""What a request demands of its fill, beside being sound: judged with the gate, as one judge.

So all that steers towards sound text steers towards this too: the order of the rows, the climb, the
remasking of what is to blame, the cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import regex

from engine.errors import ConstraintError
from engine.types import Constraint
from grammars import Fault, Gate, Language, heads

_PATIENCE_S = 0.05
"""A pattern may take exponential time; past this it counts as not matched."""


def check(constraint: Constraint, language: Language | None, max_lines: int) -> None:
    """Raises ConstraintError, one sentence, where no fill can meet the constraint."""
    for wanted in constraint.must:
        if wanted.count(b"\n") >= max_lines:
            raise ConstraintError(
                f"the text {wanted.decode()!r} must appear, but has more lines than the fill may"
                f" have ({max_lines})"
            )
    if constraint.regex is not None:
        try:
            regex.compile(constraint.regex)
        except regex.error as error:
            raise ConstraintError(
                f"the regular expression {constraint.regex!r} cannot be read: {error}"
            ) from None
    if constraint.node is None:
        return
    if language is None:
        raise ConstraintError(
            f"the fill must be a {constraint.node!r}, but no grammar for its language is installed"
        )
    if not language.has_node(constraint.node):
        raise ConstraintError(
            f"the fill must be a {constraint.node!r}, which the grammar of {language.name} has not"
        )


@dataclass(frozen=True)
class ConstrainedGate:
    """A gate that also refuses what does not meet a constraint.

    gate      None without a grammar
    deadline  seconds of `time.monotonic`; no further head of a fill is tried past it
    """

    gate: Gate | None
    constraint: Constraint
    deadline: float = float("inf")

    def faults(self, fill: bytes) -> tuple[Fault, ...]:
        """Faults that the fill adds; if there are none, what the constraint lacks."""
        found = self.gate.faults(fill) if self.gate else ()
        return found or tuple(self._unmet(fill))

    def confirm(self, fill: bytes) -> bool:
        """Is the fill sound in the whole file, and is the constraint met?"""
        return not any(self._unmet(fill)) and (self.gate is None or self.gate.confirm(fill))

    @property
    def whole(self) -> bool:
        """Is nothing wrong, and nothing wanting, with the hole empty?"""
        return not any(self._unmet(b"")) and (self.gate is None or self.gate.whole)

    def longest_sound_prefix(self, fill: bytes) -> bytes:
        """The longest head of the fill that is without faults here; b"" if none."""
        found = heads(fill, self.deadline)
        return next((head for head in found if not self.faults(head)), b"")

    def completions(self) -> list[bytes]:
        """The gate's."""
        return self.gate.completions() if self.gate else []

    def named(self, name: bytes) -> list[bytes]:
        """The gate's."""
        return self.gate.named(name) if self.gate else []

    def _unmet(self, fill: bytes) -> Iterator[Fault]:
        at = 0
        for wanted in self.constraint.must:
            found = fill.find(wanted, at)
            if found < 0:
                yield Fault(at, len(fill), "text missing")
                return
            at = found + len(wanted)
        if self._pattern is not None:
            matched = self._matched(fill.decode(errors="replace"))
            if matched is not None:
                yield Fault(len(fill[:matched]), len(fill), "regular expression")
        node = self.constraint.node
        if node is not None and self.gate and node not in self.gate.nodes(fill):
            yield Fault(0, len(fill), "kind of node")

    @cached_property
    def _pattern(self) -> "regex.Pattern[str] | None":
        given = self.constraint.regex
        return None if given is None else regex.compile(given)

    def _matched(self, fill: str) -> int | None:
        """Characters of the longest head that some match begins with; None if all is a match."""
        assert self._pattern is not None
        try:
            if self._pattern.fullmatch(fill, timeout=_PATIENCE_S):
                return None
            low, high = 0, len(fill)
            while low < high:
                middle = (low + high + 1) // 2
                head = fill[:middle]
                if self._pattern.fullmatch(head, partial=True, timeout=_PATIENCE_S):
                    low = middle
                else:
                    high = middle - 1
        except TimeoutError:
            return 0
        return low
