"""The curves of a run as one picture, from its metrics.jsonl."""

from pathlib import Path

from kernel_space_jax.training.log import Record

# Timing says nothing about learning.
HIDDEN = {"step", "kind", "images_per_second"}


def draw_curves(records: list[Record], path: Path, *, title: str = "") -> None:
    """One panel a metric, training and validation in the same panel where both are."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(k for r in records for k in r if k not in HIDDEN))
    if not names:
        return
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.9 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, name in zip(axes, names, strict=False):
        for kind, style in {"train": "-", "validation": "o-"}.items():
            points = [
                (r["step"], r[name]) for r in records if r["kind"] == kind and name in r
            ]
            if points:
                axis.plot(*zip(*points, strict=True), style, label=kind, markersize=3)
                values = [value for _, value in points]
                if min(values) > 0 and max(values) > 100 * min(values):
                    axis.set_yscale("log")
        axis.set_title(name.replace("_", " "), fontsize=10)
        axis.set_xlabel("step", fontsize=8)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    for axis in axes[len(names) :]:
        axis.remove()
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=110)
