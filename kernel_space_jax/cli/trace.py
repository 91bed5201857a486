"""What a search did on its way: its bar in the terminal, its pictures afterwards."""

from collections.abc import Hashable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.markup import escape

import kernel_space_jax as ks
from kernel_space_jax.cli.app import out
from kernel_space_jax.cli.progress import Bar
from kernel_space_jax.sheets import contact_sheet
from kernel_space_jax.training.curves import draw_curves


class Frame(NamedTuple):
    """The x (n, H, W, C) of all photos after `step` steps."""

    step: int
    images: np.ndarray


def trace_files(result: Path) -> tuple[Path, Path]:
    """The curve of the loss and the frames that are written beside a result."""
    curve, frames = (
        result.with_name(f"{result.stem}_{what}.png") for what in ("loss", "frames")
    )
    return curve, frames


class Trace(Bar):
    """A bar with the loss; `keep` says that frames are kept."""

    def __init__(self, keep: bool):
        super().__init__("deblurring")
        self.keep = keep
        self.frames: list[Frame] = []

    def start(self, what: str, size: Hashable = None) -> None:
        super().start(what, size)
        self.frames = []

    def watch(self, glimpse: ks.Glimpse) -> None:
        least = np.nanmin(glimpse.loss[:, : glimpse.done + 1], -1)
        self.tell(glimpse.done, glimpse.total, f"loss {least.mean():.4g}")
        if self.keep:
            self.frames.append(Frame(glimpse.done, glimpse.images()))

    def write(self, path: Path, place: int, loss: np.ndarray) -> None:
        """NAME_loss.png and NAME_frames.png of the photo at that place in the stack."""
        made = [
            {"step": step, "kind": "train", "loss": float(value)}
            for step, value in enumerate(loss)
            if np.isfinite(value)
        ]
        curve, frames = trace_files(path)
        draw_curves(made, curve, title=path.stem)
        # The first frames differ most: each twice as far as the one before.
        chosen = [f for i, f in enumerate(self.frames) if (i + 1) & i == 0]
        if self.frames and chosen[-1] is not self.frames[-1]:
            chosen.append(self.frames[-1])
        page = contact_sheet(
            [np.clip(frame.images[place], 0, 1) for frame in chosen],
            [f"step {frame.step}" for frame in chosen],
        )
        ks.write(frames, ks.Photo(page))
        for written in (curve, frames):
            out.print(escape(str(written)))
