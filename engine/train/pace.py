"""What haste costs a model, as a picture."""

from pathlib import Path

from engine.train.evaluate import Score


def draw_pace(scores: list[Score], path: Path) -> None:
    """Exact match against tokens per forward pass, a line for each kind of hole."""
    import matplotlib  # half a second to import, needed once a run

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for kind in dict.fromkeys(score.kind for score in scores):
        points = [(s.tokens_per_pass, 100 * s.exact) for s in scores if s.kind == kind]
        axes.plot(*zip(*points, strict=True), marker="o", label=kind)
    axes.set(xlabel="tokens per forward pass", ylabel="exactly right, %", xscale="log")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
