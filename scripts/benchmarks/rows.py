"""A computation, ours and others': a row of the tables and a bar of the picture."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from benchmarks.timing import Times

OURS = "ours"
LAYOUTS = ("contiguous_format", "channels_last")
HEAD = (
    "| | ours, ms | others, ms | ratio | of rounds | Gflop | of the peak, % "
    "| compilation, s | memory, GB | difference |\n|---" + "|---:" * 9 + "|"
)


@dataclass(frozen=True)
class Row:
    """Milliseconds of each round, ours first, and what else is known of ours."""

    name: str
    times: Times
    difference: float
    compile_s: float = float("nan")
    gigabytes: float = float("nan")
    gigaflops: float = float("nan")
    peak: float = float("nan")  # Gflop a second

    @property
    def ms(self) -> dict[str, float]:
        return {who: median(times) for who, times in self.times.items()}

    @property
    def best(self) -> str:
        """The fastest of the others."""
        return min((who for who in self.ms if who != OURS), key=self.ms.__getitem__)

    @property
    def ratio(self) -> float:
        """How often ours is done while the fastest other is done once."""
        return self.ms[self.best] / self.ms[OURS]

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the largest ratio of a round."""
        pairs = zip(self.times[self.best], self.times[OURS], strict=True)
        ratios = [other / ours for other, ours in pairs]
        return min(ratios), max(ratios)

    @property
    def share(self) -> float:
        """Of the peak of a matrix product."""
        return self.gigaflops / (self.ms[OURS] / 1e3) / self.peak

    def line(self) -> str:
        others = ", ".join(f"{who} {_short(ms)}" for who, ms in self._others().items())
        cells = [
            self.name,
            _short(self.ms[OURS]),
            others,
            f"{self.ratio:.2f}",
            "{:.2f}–{:.2f}".format(*self.spread),
            _short(self.gigaflops),
            _short(100 * self.share),
            f"{self.compile_s:.1f}",
            f"{self.gigabytes:.2f}",
            f"{self.difference:.1e}",
        ]
        return f"| {' | '.join('' if cell == 'nan' else cell for cell in cells)} |"

    def figures(self) -> dict[str, Any]:
        found = {
            "ms": self.ms,
            "rounds": self.times,
            "ratio": self.ratio,
            "spread": self.spread,
            "gigaflops": self.gigaflops,
            "share_of_peak": self.share,
            "compile_s": self.compile_s,
            "program_gb": self.gigabytes,
            "difference": self.difference,
        }
        # JSON knows no nan.
        return {name: value for name, value in found.items() if value == value}

    def _others(self) -> dict[str, float]:
        return {who: ms for who, ms in self.ms.items() if who != OURS}


def difference(ours: Any, *others: Any) -> float:
    """The largest difference of ours from PyTorch's answers, over our largest entry.

    Images of theirs are (N, C, H, W).
    """
    found = np.asarray(ours)
    most = 0.0
    for other in others:
        array = other.detach().cpu().numpy()
        if array.ndim == 4:
            array = array.transpose(0, 2, 3, 1)
        most = max(most, float(np.abs(found - array).max() / np.abs(found).max()))
    return most


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def draw(
    ratios: dict[str, float], spreads: Iterable[Any], title: str, file: Path
) -> None:
    """Bars of ratios on a logarithmic scale, slower than the others in red."""
    from matplotlib.figure import Figure

    names, values = [*ratios], [*ratios.values()]
    figure = Figure(figsize=(9, 1 + 0.24 * len(names)), layout="constrained")
    axes = figure.subplots()
    colours = ["tab:red" if value < 1 else "tab:blue" for value in values]
    away = [(v - low, high - v) for v, (low, high) in zip(values, spreads, strict=True)]
    # Below the median and above it; rounds may lie on one side of it.
    error = [[max(0, one[side]) for one in away] for side in (0, 1)]
    axes.barh(names, [v - 1 for v in values], left=1, color=colours, xerr=error)
    for place, value in enumerate(values):
        at = (1.02, place)
        axes.annotate(
            f"{value:.2f}", at, xycoords=("axes fraction", "data"), va="center"
        )
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    marks = [m for m in (0.2, 0.5, 1, 2, 5, 10, 20, 50) if m <= 1.2 * max(values)]
    axes.set_xticks(marks, [f"{mark:g}" for mark in marks])
    axes.minorticks_off()
    axes.invert_yaxis()
    axes.set_xlabel("the fastest other's time over ours: to the right of 1 ours wins")
    axes.set_title(title, fontsize=9)
    figure.savefig(file, dpi=120)
