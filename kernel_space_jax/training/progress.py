"""How a run shows itself: a bar with speed and time left, on the first process."""

import sys

import jax
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

SHOWN = ("loss", "psnr", "images_per_second")


class Progress:
    """A bar in a terminal, lines in a log file, nothing on other processes."""

    def __init__(self, steps: int, begun: int):
        self.console = Console(
            stderr=True, highlight=False, soft_wrap=True, quiet=jax.process_index() > 0
        )
        self.steps = steps
        self.bar = Bar(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not sys.stderr.isatty(),
        )
        self.row = self.bar.add_task("", total=steps, completed=begun, note="")

    def update(self, step: int, values: dict[str, float]) -> None:
        """The bar to `step`; with values, its note too (or a line of the log)."""
        if not values:
            self.bar.update(self.row, completed=step)
            return
        shown = [(k, values[k]) for k in SHOWN if k in values]
        note = "  ".join(f"{k.replace('_per_', '/')} {v:.4g}" for k, v in shown)
        self.bar.update(self.row, completed=step, note=note)
        if self.bar.disable:
            self.console.print(f"step {step}/{self.steps}  {note}")

    def say(self, text: str) -> None:
        self.bar.console.print(text)

    def __enter__(self) -> "Progress":
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()
