"""An edit as tokens: a name that became another, or a run of tokens that became another."""

import re
from dataclasses import dataclass
from keyword import kwlist

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_NAME = re.compile(r"[^\W\d]\w*")
# fmt: off
_KEYWORDS = frozenset(kwlist) | {
    "const", "do", "enum", "export", "false", "fn", "func", "function", "int", "interface", "let",
    "mut", "new", "null", "private", "pub", "public", "static", "string", "struct", "switch",
    "this", "throw", "true", "type", "use", "var", "void",
}
# fmt: on
_CONTEXT = 3
"""Tokens on either side that have to agree for an edit to be the same elsewhere."""


@dataclass(frozen=True, slots=True)
class Swap:
    """Within a line: between `left` and `right`, `old` became `new`. All are runs of tokens."""

    left: tuple[str, ...]
    old: tuple[str, ...]
    new: tuple[str, ...]
    right: tuple[str, ...]


def tokens(text: str) -> list[str]:
    """Words, runs of blanks, and single signs; joined, they are the text."""
    return _TOKEN.findall(text)


def renamed(old: str, new: str) -> tuple[str, str] | None:
    """The name that became another wherever the two texts differ; None if they differ otherwise."""
    one, other = tokens(old), tokens(new)
    if len(one) != len(other):
        return None
    pairs = {pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]}
    if len(pairs) != 1:
        return None
    before, after = pairs.pop()
    names = all(_NAME.fullmatch(name) and name not in _KEYWORDS for name in (before, after))
    return (before, after) if names else None


def swapped(old: str, new: str) -> Swap | None:
    """How one line became another; None for several lines, or for nothing left to tell it by."""
    if "\n" in old or "\n" in new or old == new:
        return None
    one, other = tokens(old), tokens(new)
    head = _shared(one, other)
    tail = _shared(one[head:][::-1], other[head:][::-1])
    end = len(one) - tail
    return Swap(
        tuple(one[:head]), tuple(one[head:end]), tuple(other[head : len(other) - tail]),
        tuple(one[end:]),
    )  # fmt: skip


def pattern(swap: Swap) -> re.Pattern[bytes] | None:
    """Finds where the same swap can be made; group 1 is the place. None if it could be anywhere.

    A side that the line's start or end cuts short has to be cut short elsewhere too.
    """
    left, right = _near(swap.left[::-1])[::-1], _near(swap.right)
    seen = [token for token in (*left, *swap.old, *right) if not token.isspace()]
    if len(seen) < _CONTEXT or not any(_NAME.fullmatch(token) for token in seen):
        return None
    before, old, after = (re.escape("".join(run)) for run in (left, swap.old, right))
    before = rf"\b{before}" if len(left) < len(swap.left) else rf"^[ \t]*{before.lstrip()}"
    after = after if len(right) < len(swap.right) else rf"{after}[ \t]*$"
    return re.compile(f"{before}({old}){after}".encode(), re.MULTILINE)


def repeated(swap: Swap, line: str) -> str | None:
    """The line with the same done to it, if it has the shape that the edited one had.

    Words may differ. A word of the edited line that came back in the new run is taken from the
    same place of this line.
    """
    before = [*swap.left, *swap.old, *swap.right]
    here = tokens(line)
    if [_shape(token) for token in here] != [_shape(token) for token in before]:
        return None
    own = dict(zip(before, here, strict=True))
    written = [own.get(token, token) if _NAME.fullmatch(token) else token for token in swap.new]
    start, end = len(swap.left), len(swap.left) + len(swap.old)
    return "".join([*here[:start], *written, *here[end:]])


def _shape(token: str) -> str:
    return "w" if re.match(r"\w", token) else token


def _near(run: tuple[str, ...]) -> tuple[str, ...]:
    """The first few tokens of a run, up to so many that are not blanks."""
    taken: list[str] = []
    for token in run:
        if sum(not each.isspace() for each in taken) == _CONTEXT:
            break
        taken.append(token)
    return tuple(taken)


def _shared(one: list[str], other: list[str]) -> int:
    """Tokens that both begin with."""
    for index, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return index
    return min(len(one), len(other))
