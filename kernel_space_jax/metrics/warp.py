"""Images seen through a homography: x'[p] = x(M p), p = (column, row, 1) in pixels."""

from typing import Literal

import jax.numpy as jnp
from jax import Array

Border = Literal["zero", "reflect"]
Interpolation = Literal["linear", "cubic"]

# Keys' cubic as OpenCV has it; -0.5 is the other common value.
CUBIC = -0.75


def coordinates(matrix: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Rows and columns of M p for every pixel p: (3, 3) -> two (H, W)."""
    rows, columns = jnp.meshgrid(
        *(jnp.arange(n, dtype=matrix.dtype) for n in shape), indexing="ij"
    )
    column, row, scale = (m[0] * columns + m[1] * rows + m[2] for m in matrix)
    return row / scale, column / scale


def inside(rows: Array, columns: Array, shape: tuple[int, ...]) -> Array:
    """Which coordinates have their nearest pixel within the image: (H, W) -> bool."""
    height, width = shape
    in_height = (rows >= -0.5) & (rows < height - 0.5)
    return in_height & (columns >= -0.5) & (columns < width - 0.5)


def sample(
    x: Array,
    rows: Array,
    columns: Array,
    *,
    interpolation: Interpolation = "linear",
    border: Border = "zero",
) -> Array:
    """x between its pixels: (H, W, C) at coordinates (H', W') -> (H', W', C).

    Beyond its border x is zero, or reflected with its outermost pixel repeated.
    """
    height, width, channels = x.shape
    # One pixel a row, whose channels are fetched together.
    flat = x.reshape(height * width, channels)
    first_row, first_column = jnp.floor(rows), jnp.floor(columns)
    weights = _linear if interpolation == "linear" else _cubic
    by_row, by_column = weights(rows - first_row), weights(columns - first_column)
    reach = len(by_row) // 2 - 1
    total = jnp.zeros((*rows.shape, channels), x.dtype)
    for i, row_weight in enumerate(by_row):
        row, row_weight = _bounded(first_row + (i - reach), row_weight, height, border)
        for j, weight in enumerate(by_column):
            column = first_column + (j - reach)
            column, weight = _bounded(column, weight, width, border)
            pixels = jnp.take(flat, row * width + column, axis=0, mode="clip")
            total += (row_weight * weight)[..., None] * pixels
    return total


def _bounded(
    index: Array, weight: Array, size: int, border: Border
) -> tuple[Array, Array]:
    """An index that exists, and its weight: zero where there was none."""
    if border == "zero":
        known = (index >= 0) & (index < size)
        weight = jnp.where(known, weight, 0)
        return jnp.clip(index, 0, size - 1).astype(jnp.int32), weight
    # Far outside integers would overflow; what is seen there does not matter.
    folded = jnp.clip(index, -1e6, 1e6).astype(jnp.int32) % (2 * size)
    return jnp.minimum(folded, 2 * size - 1 - folded), weight


def _linear(fraction: Array) -> list[Array]:
    return [1 - fraction, fraction]


def _cubic(fraction: Array) -> list[Array]:
    """The weights of the pixels at -1, 0, 1 and 2."""

    def near(t: Array) -> Array:
        return ((CUBIC + 2) * t - (CUBIC + 3)) * t**2 + 1

    def far(t: Array) -> Array:
        return CUBIC * (((t - 5) * t + 8) * t - 4)

    t = fraction
    return [far(t + 1), near(t), near(1 - t), far(2 - t)]
