"""What a search did on its way: its bar in the terminal, its pictures afterwards."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

import kernel_space_jax as ks
from kernel_space_jax import images
from kernel_space_jax.cli.app import err, out
from kernel_space_jax.training.curves import draw_curves


class Frame(NamedTuple):
    """The x (n, H, W, C) of all photos after `step` steps."""

    step: int
    images: np.ndarray


class Trace:
    """A bar with the loss and the time left; `keep` says that frames are kept."""

    def __init__(self, keep: bool):
        self.keep = keep
        self.frames: list[Frame] = []
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(),
            console=err,
            transient=True,
        )
        self.task = self.bar.add_task("deblurring", total=None, loss="")

    def tell(self, done: int, total: int) -> None:
        self.bar.update(self.task, completed=done, total=total)

    def watch(self, glimpse: ks.Glimpse) -> None:
        least = np.nanmin(glimpse.loss[:, : glimpse.done + 1], -1)
        loss = f"loss {least.mean():.4g}"
        self.bar.update(
            self.task, completed=glimpse.done, total=glimpse.total, loss=loss
        )
        if self.keep:
            self.frames.append(Frame(glimpse.done, glimpse.images()))

    def write(self, path: Path, place: int, loss: np.ndarray) -> None:
        """NAME_loss.png and NAME_frames.png of the photo at that place in the stack."""
        made = [
            {"step": step, "kind": "train", "loss": float(value)}
            for step, value in enumerate(loss)
            if np.isfinite(value)
        ]
        curve = path.with_name(f"{path.stem}_loss.png")
        draw_curves(made, curve, title=path.stem)
        # The first frames differ most: each twice as far as the one before.
        chosen = [f for i, f in enumerate(self.frames) if (i + 1) & i == 0]
        if self.frames and chosen[-1] is not self.frames[-1]:
            chosen.append(self.frames[-1])
        page = images.contact_sheet(
            [np.clip(frame.images[place], 0, 1) for frame in chosen],
            [f"step {frame.step}" for frame in chosen],
        )
        frames = path.with_name(f"{path.stem}_frames.png")
        ks.write(frames, ks.Photo(page))
        for written in (curve, frames):
            out.print(escape(str(written)))
