"""Draws docs/pictures/ghost_text.svg: one fill as it comes into focus, from a run of the engine.

    .venv/bin/python docs/draw_ghost_text.py examples/inventory.py 2

The second hole of the file is filled. It begins as the canvas of masks that the engine begins
with; the pauses between the drafts are those of the run, many times slower.
"""

import asyncio
import sys
from contextlib import aclosing
from dataclasses import dataclass
from html import escape
from pathlib import Path
from time import perf_counter

from engine import InfillRequest, Span, Suggestion
from engine.client import EngineClient
from grammars import language_for_path

PICTURE = Path(__file__).with_name("pictures") / "ghost_text.svg"

LINES_AROUND = 4
WIDTH, LINE_HEIGHT, MARGIN = 720, 22, 20
LASTS_S, STAYS_S = 4.0, 3.0
"""The fill is seen to happen for so long, and then the finished text, before it begins again."""
MASK = "\u2591"
DIMMEST, HAZIEST_PX = 0.7, 2.0
"""Opacity and blur of a draft of which all is masked."""

STYLE = """
  rect { fill: #fbf7f0 }
  text { font: 15px ui-monospace, Menlo, Consolas, monospace; white-space: pre; fill: #3b3a36 }
  .ghost { fill: #9a8f80; opacity: 0 }
  .caption { font-size: 12px; fill: #9a8f80 }
"""


@dataclass(frozen=True)
class Frame:
    """A draft: its first line, when it came, and the share of it that was masked."""

    at_s: float
    text: str
    masked: float


async def record(request: InfillRequest) -> list[Frame]:
    """The drafts of one fill, by an engine that has just done the same once."""
    client = await EngineClient.connect(None)
    frames: list[Frame] = []
    try:
        for _ in range(2):
            frames.clear()
            began_s = perf_counter()
            async with aclosing(client.infill(request)) as words:
                async for word in words:
                    if not frames:
                        canvas = MASK * len(word.text.split("\n")[0])
                        frames.append(Frame(0.0, canvas, 1.0))
                    masked = 0 if isinstance(word, Suggestion) else word.masked
                    share = masked / max(1, len(word.text))
                    line = word.text.split("\n")[0]
                    frames.append(Frame(perf_counter() - began_s, line, min(1.0, share)))
    finally:
        await client.close()
    return frames


def ghost(frames: list[Frame], left: str, behind: str, y: int) -> str:
    """One text element for each draft, each fading in at its own time and out at the next one's."""
    total_s = LASTS_S + STAYS_S
    slower = LASTS_S / frames[-1].at_s
    begins = [frame.at_s * slower / total_s for frame in frames]
    fade = 0.15 / total_s
    drawn: list[str] = []
    for frame, begin, end in zip(frames, begins, [*begins[1:], 1.0], strict=True):
        times = sorted([0.0, begin, min(begin + fade, end), end, min(1.0, end + fade)])
        clear = 1 - (1 - DIMMEST) * frame.masked
        values = [0.0, 0.0, clear, clear, 0.0]
        line = f"{escape(left + frame.text)}"
        drawn.append(
            f'<text y="{y}" x="{MARGIN}" class="ghost" '
            f'style="filter: blur({HAZIEST_PX * frame.masked:.1f}px)">'
            f'<tspan opacity="0">{escape(left)}</tspan>{line.removeprefix(escape(left))}'
            f"{escape(behind)}"
            f'<animate attributeName="opacity" dur="{total_s:.2f}s" repeatCount="indefinite" '
            f'keyTimes="{";".join(f"{time:.4f}" for time in [*times, 1.0])}" '
            f'values="{";".join(f"{value:.2f}" for value in [*values, 0.0])}"/></text>'
        )
    return "\n".join(drawn)


def picture(before: str, after: str, frames: list[Frame]) -> str:
    """The SVG: some lines around the hole, and the hole as it is filled."""
    above, _, left = before.rpartition("\n")
    behind, _, below = after.partition("\n")
    head = above.split("\n")[-LINES_AROUND:]
    lines = [*head, left, *below.split("\n")[:LINES_AROUND]]
    ys = [MARGIN + LINE_HEIGHT * (row + 1) for row in range(len(lines))]
    texts = [
        f'<text x="{MARGIN}" y="{y}">{escape(line)}</text>'
        for y, line in zip(ys, lines, strict=True)
    ]
    height = ys[-1] + 2 * MARGIN + 8
    took_s = frames[-1].at_s
    caption = f"{took_s * 1000:.0f} ms, shown {LASTS_S / took_s:.0f} times slower"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}">',
            f'<style>{STYLE}</style><rect width="100%" height="100%" rx="8"/>',
            *texts,
            ghost(frames, left, behind, ys[len(head)]),
            f'<text class="caption" x="{MARGIN}" y="{height - 14}">{caption}</text></svg>\n',
        ]
    )


def draw(path: Path, number: int) -> None:
    """Fill one hole of a file, and draw that."""
    pieces = path.read_text().split("$0")
    before, after = "".join(pieces[:number]), "".join(pieces[number:])
    language = language_for_path(path)
    assert language is not None, f"{path} is in no language that is known"
    at = len(before.encode())
    request = InfillRequest((before + after).encode(), Span(at, at), language.id, budget_ms=5_000)
    PICTURE.write_text(picture(before, after, asyncio.run(record(request))))


if __name__ == "__main__":
    draw(Path(sys.argv[1]), int(sys.argv[2]))
