"""The refinement of a hole, drawn in the terminal: before, each step, after, and the figures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.rule import Rule
from rich.syntax import Syntax
from rich.text import Text

from engine import Draft, EngineInfo, Suggestion, Verdict

LINES_ABOVE = 4
LINES_BELOW = 2
LINE_WIDTH = 88
"""Characters shown of a line above or below the hole."""

END_WIDTH = 48
"""Characters shown of the hole's own line, on each side of it."""

TAB_WIDTH = 4

STYLES: dict[Verdict, str] = {
    "valid": "green",
    "repaired": "green",
    "cut": "yellow",
    "unchecked": "yellow",
    "rejected": "red",
}


@dataclass(frozen=True, slots=True)
class Hole:
    """A hole and the file around it, as UTF-8.

    language_id     of LSP, for the engine
    lexer           of Pygments, for the colours; "text" for none
    """

    path: Path
    language_id: str
    lexer: str
    before: bytes
    after: bytes

    @property
    def line(self) -> int:
        """Counted from 1."""
        return self.before.count(b"\n") + 1


class Drawing:
    """Shows each hole before, draft by draft, and after."""

    def __init__(self) -> None:
        self.console = Console()

    def opened(self, hole: Hole) -> None:
        print_before(self.console, hole)

    def drafted(self, hole: Hole, draft: Draft) -> None:
        print_step(self.console, hole, draft)

    def filled(self, hole: Hole, suggestion: Suggestion) -> None:
        print_after(self.console, hole, suggestion)
        print_figures(self.console, hole, suggestion)

    def finished(self, text: bytes) -> None:
        """The file as a whole is not shown."""


def print_before(console: Console, hole: Hole) -> None:
    """The file's name, and the lines around the open hole."""
    console.print(Rule(Text(f"{hole.path}:{hole.line}", "bold"), align="left", style="dim"))
    console.print(_excerpt(hole, "$0", "reverse yellow"))


def print_step(console: Console, hole: Hole, draft: Draft) -> None:
    """The hole's own line, with the draft in its place."""
    head, tail = _ends(hole)
    text = Text(f"{draft.step:>6} │ ", "dim")
    margin = " " * (len(text) + len(head))
    text.append(head, "dim")
    text.append(_printable(draft.text).replace("\n", f"\n{margin}"), "bold magenta")
    text.append(tail, "dim")
    console.print(text, no_wrap=True, overflow="ellipsis", highlight=False)


def print_after(console: Console, hole: Hole, suggestion: Suggestion) -> None:
    """The lines around the hole, with the answer in it."""
    console.print(_excerpt(hole, _printable(suggestion.text), f"bold {STYLES[suggestion.verdict]}"))


def print_figures(console: Console, hole: Hole, suggestion: Suggestion) -> None:
    """One line: where, the verdict, milliseconds, tokens per second, forward passes."""
    timings = suggestion.timings
    line = Text(f"{hole.path.name}:{hole.line} ", "dim")
    line.append(suggestion.verdict, STYLES[suggestion.verdict])
    line.append(
        f" · {timings.total_ms:.0f} ms · {_per_second([suggestion]):.0f} tokens/s"
        f" · {timings.filled_tokens} tokens in {timings.forward_passes} forward passes"
    )
    console.print(line, highlight=False, soft_wrap=True)


def print_summary(console: Console, suggestions: Sequence[Suggestion], info: EngineInfo) -> None:
    """One line over all holes, and which model on which device filled them."""
    verdicts = Counter(suggestion.verdict for suggestion in suggestions)
    counts = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in STYLES if verdicts[verdict])
    passes = sum(suggestion.timings.forward_passes for suggestion in suggestions)
    console.print(
        f"{len(suggestions)} hole{'s'[: len(suggestions) > 1]}: {counts}"
        f" · median {median(s.timings.total_ms for s in suggestions):.0f} ms"
        f" · {_per_second(suggestions):.0f} tokens/s · {passes} forward passes"
        f" · model {info.model}, {info.whereabouts}",
        highlight=False,
        soft_wrap=True,
    )


def _per_second(suggestions: Sequence[Suggestion]) -> float:
    """Tokens of the answers by seconds from call to answer; 0 when no time was taken."""
    total_ms = sum(suggestion.timings.total_ms for suggestion in suggestions)
    tokens = sum(suggestion.timings.filled_tokens for suggestion in suggestions)
    return tokens / total_ms * 1000 if total_ms else 0.0


def _excerpt(hole: Hole, middle: str, style: str) -> Syntax:
    """The lines around the hole with `middle` in it, in the colours of the language."""
    head, tail = _ends(hole)
    above = _lines(hole.before[-LINES_ABOVE * 1000 :])[-1 - LINES_ABOVE : -1]
    below = _lines(hole.after[: LINES_BELOW * 1000])[1 : 1 + LINES_BELOW]
    filled = (head + middle).split("\n")
    filled_rows = [*(line[:LINE_WIDTH] for line in above), *filled]
    rows = [*filled_rows[:-1], filled_rows[-1] + tail, *(line[:LINE_WIDTH] for line in below)]
    excerpt = Syntax(
        "\n".join(rows),
        hole.lexer,
        theme="ansi_dark",
        background_color="default",
        line_numbers=True,
        start_line=hole.line - len(above),
    )
    start, end = (len(above) + 1, len(head)), (len(filled_rows), len(filled[-1]))
    excerpt.stylize_range(style, start, end)
    return excerpt


def _ends(hole: Hole) -> tuple[str, str]:
    """What stands before and after the hole on its own line."""
    head = _lines(hole.before[-4 * END_WIDTH :])[-1]
    tail = _lines(hole.after[: 4 * END_WIDTH])[0]
    return head[-END_WIDTH:], tail[:END_WIDTH]


def _lines(part: bytes) -> list[str]:
    """Lines of a part of a file, which may be cut inside a character."""
    return _printable(part.decode(errors="ignore").replace("\r\n", "\n")).split("\n")


def _printable(text: str) -> str:
    """Nothing in a file or a fill may move the cursor or change the terminal's colours."""
    shown = (
        char if char.isprintable() or char == "\n" else "\ufffd"
        for char in text.expandtabs(TAB_WIDTH)
    )
    return "".join(shown)
