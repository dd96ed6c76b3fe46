"""The loss curve of a run as a picture."""

import json
from pathlib import Path


def draw_curve(folder: Path) -> None:
    """Read curve.jsonl of a run and write curve.png beside it."""
    import matplotlib  # half a second to import, needed once a run

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for part in ("canvas", "prefix", "suffix"):
        axes.plot([row["minutes"] for row in rows], [row[part] for row in rows], label=part, lw=1)
    valid = [(row["minutes"], row["valid_canvas"]) for row in rows if row["valid_canvas"]]
    if valid:
        axes.scatter(*zip(*valid, strict=True), label="canvas, held out", zorder=3)
    axes.set(
        xlabel="minutes", ylabel="nats per token", title=f"{rows[-1]['tokens'] / 1e6:.1f}M tokens"
    )
    axes.legend()
    figure.tight_layout()
    figure.savefig(folder / "curve.png", dpi=110)
    pyplot.close(figure)
