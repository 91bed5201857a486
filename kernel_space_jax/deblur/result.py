"""What every method answers, and whom it tells how far it is."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# A photo of up to this many pixels a side is seen as a whole.
TILE = 1280
OVERLAP = 128

# Hears how much is done, of how much.
Tell = Callable[[int, int], None]


class Deblurred(NamedTuple):
    """image: (H, W, C) in [0, 1], as many channels as the photo.

    kernel: (size, size) where one was found for the whole photo, (rows, columns, size,
    size) where one for each tile. loss: (steps + 1,) of a search, NaN after its stop;
    steps: how many it made. grid: (rows, columns, size, size) where each pixel has a
    kernel, those of the pixels that `drawing.cell_middles` names.
    """

    image: np.ndarray
    kernel: np.ndarray | None = None
    loss: np.ndarray | None = None
    steps: np.ndarray | int = 0
    grid: np.ndarray | None = None

    @property
    def sharp_already(self) -> bool:
        """Whether the kernel found for a photo, or each of its tiles, does nothing."""
        return self.kernel is not None and bool((self.kernel.max((-2, -1)) == 1).all())


def silent(done: int, total: int) -> None:
    """Tells nobody."""
