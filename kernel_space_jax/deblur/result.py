"""What every method answers."""

from typing import Literal, NamedTuple

import numpy as np

# A photo of up to this many pixels a side is seen as a whole.
TILE = 1280
OVERLAP = 128

Blur = Literal["uniform", "per tile", "per pixel", "unknown"]
KERNELS: dict[Blur, str] = {
    "uniform": ": one kernel for the whole photo",
    "per tile": ": a kernel for each tile",
    "per pixel": ": a kernel for each pixel",
    "unknown": "",
}


class Deblurred(NamedTuple):
    """What a method makes of a photo; of a stack of photos, each part is stacked.

    image: (H, W, 1 or 3) in [0, 1], as many channels as the photo has colours.
    kernel: (size, size) where one was found for the whole photo, (rows, columns, size,
    size) where one for each tile, else None. One that does nothing, a single 1, says
    that no such blur was found: the photo comes back as it is.
    loss: (steps + 1,) of a search, NaN after its stop; steps: how many it made.
    grid: (rows, columns, size, size) where each pixel has a kernel, those of the pixels
    that `drawing.cell_middles` names; else None.
    method: its name in the table of methods; of `auto` the one that it chose.

    A stack has no kernel (or grid) if one of its photos has none, as with `auto`.
    """

    image: np.ndarray
    kernel: np.ndarray | None = None
    loss: np.ndarray | None = None
    steps: np.ndarray | int = 0
    grid: np.ndarray | None = None
    method: str | np.ndarray = ""

    @property
    def blur(self) -> Blur:
        """What the blur was taken to be: where the kernels are, if there are any.

        "uniform" and "per tile": in `kernel`; "per pixel": in `grid`. "unknown": the
        method finds no kernels.
        """
        if self.kernel is not None:
            axes = self.kernel.ndim - (self.image.ndim - 3)
            return "uniform" if axes == 2 else "per tile"
        return "unknown" if self.grid is None else "per pixel"

    @property
    def nothing_found(self) -> bool:
        """Whether no blur was found that is the same everywhere, or in any tile."""
        return self.kernel is not None and bool((self.kernel.max((-2, -1)) == 1).all())

    @property
    def summary(self) -> str:
        """What was done to a photo, in plain words."""
        if self.nothing_found:
            what = "uniform blur" if self.blur == "uniform" else "blur in any tile"
            return f"no {what} found, so the photo is unchanged"
        return f"{self.method}{KERNELS[self.blur]}"
