"""The best translation between two images, on a grid of fractions of a pixel."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.errors import UserError


class Shifted(NamedTuple):
    """x cropped, z shifted and cropped (N, h, w, C), the shift (N, 2), SSD (N,).

    The shift (rows, columns) is where the pixels of z were read: z[p + shift].
    """

    x: Array
    z: Array
    shift: Array
    ssd: Array


def best_shift(
    x: Array, z: Array, *, crop: int = 15, reach: int = 5, parts: int = 4
) -> Shifted:
    """argmin over s of sum_p |z[p + s] - x[p]|^2, z bilinear between its pixels.

    Both axes of s run from -reach to reach in steps of 1 / parts; p leaves out `crop`
    pixels on each side of x, no less than `reach`. Two (N, H, W, C).
    """
    if crop < reach or min(x.shape[1:3]) <= 2 * crop:
        raise UserError(
            f"a search of {reach} pixels with a crop of {crop} does not fit images of "
            f"{x.shape[2]}x{x.shape[1]} pixels; give larger images or a smaller crop"
        )

    def one(x: Array, z: Array) -> Shifted:
        return _best_shift(x, z, crop, reach, parts)

    return jax.vmap(one)(x, z)


def _best_shift(x: Array, z: Array, crop: int, reach: int, parts: int) -> Shifted:
    height, width, channels = x.shape
    size = (height - 2 * crop, width - 2 * crop, channels)
    x = x[crop : height - crop, crop : width - crop]
    # All that a shift can see, and one pixel more, which only weighs zero.
    low, high = crop - reach, crop - reach - 1
    z = jnp.pad(z, ((0, 1), (0, 1), (0, 0)))[low : height - high, low : width - high]
    cells = 2 * reach

    def corners(row: Array, column: Array) -> Array:
        """The four whole shifts around a cell: (2, 2, h, w, C)."""
        four = [
            lax.dynamic_slice(z, (row + i, column + j, 0), size)
            for i in (0, 1)
            for j in (0, 1)
        ]
        return jnp.stack(four).reshape(2, 2, *size)

    def products(cell: Array) -> Array:
        """Inner products of the four differences from x: (4, 4).

        As bilinear weights add up to one, w^T P w is the SSD of every shift within
        the cell: 41 x 41 of them cost 10 x 10 cells.
        """
        differences = (corners(cell // cells, cell % cells) - x).reshape(4, -1)
        return jnp.matmul(differences, differences.T, precision=lax.Precision.HIGHEST)

    matrices = lax.map(products, jnp.arange(cells**2)).reshape(cells, cells, 4, 4)
    fractions = jnp.arange(parts + 1) / parts
    ends = jnp.stack([1 - fractions, fractions], axis=1)
    weights = jnp.einsum("ai,bj->abij", ends, ends).reshape(parts + 1, parts + 1, 4)
    ssd = jnp.einsum("abi,rcij,abj->racb", weights, matrices, weights)
    ssd = jax.vmap(_joined)(_joined(ssd))
    row, column = jnp.unravel_index(jnp.argmin(ssd), ssd.shape)

    # Once more and literally: no digit of a tiny difference is lost.
    first_row, by_row = _cell(row, parts, cells)
    first_column, by_column = _cell(column, parts, cells)
    around = corners(first_row, first_column)
    above, below = (1 - by_column) * around[:, 0] + by_column * around[:, 1]
    shifted = (1 - by_row) * above + by_row * below
    shift = jnp.stack([row, column]) / parts - reach
    return Shifted(x, shifted, shift, jnp.sum((shifted - x) ** 2))


def _joined(ssd: Array) -> Array:
    """Cells (R, A, ...) that end where the next begins -> (R (A - 1) + 1, ...)."""
    cells, entries = ssd.shape[:2]
    inner = ssd[:, :-1].reshape(cells * (entries - 1), *ssd.shape[2:])
    return jnp.concatenate([inner, ssd[-1, -1:]])


def _cell(index: Array, parts: int, cells: int) -> tuple[Array, Array]:
    """The cell that a shift lies in, and how far in it."""
    cell = jnp.minimum(index // parts, cells - 1)
    return cell, index / parts - cell
