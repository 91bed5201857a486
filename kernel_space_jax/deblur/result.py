"""What every way of deblurring answers, and what is checked before any of them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kernel_space_jax.errors import UserError
from kernel_space_jax.images import match_channels

# A photo of up to this many pixels a side is seen as a whole.
TILE = 1280
OVERLAP = 128

# Hears how much is done, of how much.
Tell = Callable[[int, int], None]


class Deblurred(NamedTuple):
    """image: (H, W, C) in [0, 1], as many channels as the photo.

    kernel: (size, size) where one was found for the whole photo, (rows, columns, size,
    size) where one for each tile. loss: (steps + 1,) of a search, NaN after its stop;
    steps: how many it made. drawn: (H, W, 3), the kernels of each place over the
    photo, where they were found for each pixel.
    """

    image: np.ndarray
    kernel: np.ndarray | None = None
    loss: np.ndarray | None = None
    steps: np.ndarray | int = 0
    drawn: np.ndarray | None = None

    @property
    def sharp_already(self) -> bool:
        """Whether the kernel found for a photo, or each of its tiles, does nothing."""
        return self.kernel is not None and bool((self.kernel.max((-2, -1)) == 1).all())


def silent(done: int, total: int) -> None:
    """Tells nobody."""


def checked(photo: np.ndarray) -> np.ndarray:
    """The photo (H, W, 1 or 3), or a `UserError` where it holds no numbers."""
    if not np.isfinite(photo).all():
        raise UserError("the photo has values that are no numbers")
    return match_channels(photo, 1 if photo.shape[-1] < 3 else 3)
