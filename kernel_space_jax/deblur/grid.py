"""The kernels of a grid of pixels, which are kept of a field.

A field of 98 kernels for a photo of 1280x720 has 361 MB of masks. A grid whose cells
are as large as the kernels has a kernel in each, so as many numbers as the photo has
pixels: 4 MB. More kernels would overlap in a drawing.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kernel_space_jax.drawing import cell_middles, kernels_at
from kernel_space_jax.operators import KernelField
from kernel_space_jax.solvers.tiles import Tile, join


class Cells(NamedTuple):
    """The kernels (rows, columns, h, w) of the cells of a photo's grid in one tile."""

    place: Tile
    kernels: np.ndarray


def cells_of(field: KernelField, place: Tile, size: tuple[int, int]) -> Cells:
    """Those of a tile, by the field of its pixels; `size` (H, W) is the photo's."""
    rows, columns = cell_middles(size, field.side)
    down, right = _within(rows, place.rows), _within(columns, place.columns)
    kernels = kernels_at(
        field, rows[down] - place.rows.start, columns[right] - place.columns.start
    )
    return Cells(place._replace(rows=down, columns=right), np.asarray(kernels[0]))


def _within(middles: np.ndarray, pixels: slice) -> slice:
    """Which of the cells have their middle among these pixels of a tile."""
    first, last = np.searchsorted(middles, (pixels.start, pixels.stop))
    return slice(int(first), int(last))


def join_grid(cells: Sequence[Cells], overlap: int) -> np.ndarray:
    """The whole grid (rows, columns, h, w), blended where tiles overlap as images are.

    `overlap` is that of the tiles, in pixels.
    """
    places = [one.place for one in cells]
    rows = max(place.rows.stop for place in places)
    columns = max(place.columns.stop for place in places)
    h, w = cells[0].kernels.shape[2:]
    flat = [one.kernels.reshape(*one.kernels.shape[:2], h * w) for one in cells]
    joined = join(flat, places, (rows, columns, h * w), overlap // max(h, w))
    return joined.reshape(rows, columns, h, w)
