"""Curves: PSNR over degradation, and the share of images up to each error ratio."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from kernel_space_jax.evaluation.protocols.sweep import SWEEPS
from kernel_space_jax.evaluation.statistics import Interval, interval
from kernel_space_jax.evaluation.tables import Table
from kernel_space_jax.files import write_whole

Points = list[tuple[float, Interval]]
Format = Literal["png", "svg"]
RATIO = "error ratio"
MOST_RATIO = 5.0


def sweep_curves(table: Table) -> dict[str, dict[str, Points]]:
    """Mean PSNR at each level, by kind of sweep and method."""
    curves: dict[str, dict[str, Points]] = {}
    for group in dict.fromkeys(table.groups.values()):
        kind, _, level = group.partition("=")
        if kind not in SWEEPS:
            continue
        for method in table.methods:
            if values := table.values(method, "PSNR", group):
                points = curves.setdefault(kind, {}).setdefault(method, [])
                points.append((float(level), interval(values)))
    return curves


def sweep_csv(table: Table) -> str:
    """kind, level, method, mean, low, high, images: a line a point."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sweep", "level", "method", "PSNR", "low", "high", "images"])
    for kind, methods in sweep_curves(table).items():
        for method, points in methods.items():
            for level, (mean, low, high, count) in points:
                cells = [f"{value:.7g}" for value in (mean, low, high)]
                writer.writerow([kind, f"{level:g}", method, *cells, count])
    return text.getvalue()


def write_sweep(folder: Path, table: Table) -> None:
    """sweep.csv and sweep.png in a run's folder."""
    write_whole(folder / "sweep.csv", sweep_csv(table).encode())
    write_whole(folder / "sweep.png", draw_sweep(table, "png"))


def draw_sweep(table: Table, form: Format) -> bytes:
    """One panel a sweep, one line a method, its 95 % interval shaded."""
    curves = sweep_curves(table)
    figure, panels = _panels(len(curves))
    for panel, (kind, methods) in zip(panels, curves.items(), strict=True):
        for method, points in methods.items():
            levels = [level for level, _ in points]
            means, low, high, _ = zip(*(found for _, found in points), strict=True)
            panel.plot(levels, means, "o-", label=method, markersize=3)
            panel.fill_between(levels, low, high, alpha=0.2)
        panel.set_xlabel({"jpeg": "JPEG quality"}.get(kind, kind.replace("-", " ")))
        panel.set_ylabel("PSNR (dB)")
        if kind == "jpeg":
            # Every panel grows worse to the right.
            panel.invert_xaxis()
    return _saved(figure, panels, form)


def draw_distribution(table: Table, form: Format) -> bytes:
    """Share of images up to each value of the first column, and of the error ratio."""
    names = [table.protocol.scores[0].name]
    if any(table.values(method, RATIO) for method in table.methods if RATIO in
           table.scores[method]):  # fmt: skip
        names.append(RATIO)
    figure, panels = _panels(len(names))
    for panel, name in zip(panels, names, strict=True):
        for method in table.methods:
            values = np.sort([v for v in table.values(method, name) if np.isfinite(v)])
            if len(values):
                share = 100 * np.arange(len(values) + 1) / len(values)
                panel.step([values[0], *values], share, where="post", label=method)
        panel.set_xlabel(name)
        panel.set_ylabel("images up to it (%)")
        panel.set_ylim(0, 103)
        if name == RATIO:
            panel.set_xlim(0, MOST_RATIO)
    return _saved(figure, panels, form)


def _panels(count: int):
    # Importing it costs a second that most runs need not spend.
    from matplotlib.figure import Figure

    columns = min(2, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(5.2 * columns, 3.4 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[count:]:
        axis.remove()
    return figure, list(axes[:count])


def _saved(figure, panels: Sequence, form: Format) -> bytes:
    for panel in panels:
        panel.grid(alpha=0.3)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(fontsize=8)
    buffer = io.BytesIO()
    # Without a date, and with ids that do not change, the same run gives the same file.
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "kernel-space"}):
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(buffer, format=form, dpi=110, metadata=metadata)
    return buffer.getvalue()
