"""Pictures of kernels: what blur looks like at each place of a photo."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.operators.per_pixel import KernelField

# Of the photo, behind the kernels drawn over it.
DIMMED = 0.35
# Between the kernels of a grid, in pixels.
GAP = 1
COLOUR = (1.0, 0.85, 0.3)


def draw_field(field: KernelField, photo: Array) -> Array:
    """The kernels of a grid of pixels, each drawn where it acts: (N, H, W, 3).

    Over the photo (N, H, W, 1 or 3), as `draw_grid` does.
    """
    size = photo.shape[1], photo.shape[2]
    return draw_grid(kernels_at(field, *cell_middles(size, field.side)), photo)


def cell_middles(
    size: tuple[int, int], side: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The rows and columns of the pixels in the middle of cells of that side.

    The cells fill the middle of a photo of that size (H, W).
    """
    rows, columns = (
        (n % length) // 2 + length // 2 + length * np.arange(n // length)
        for n, length in zip(size, side, strict=True)
    )
    return rows, columns


@jax.jit
def kernels_at(field: KernelField, rows: Array, columns: Array) -> Array:
    """The kernels of the pixels where these cross: (N, rows, columns, kh, kw)."""
    masks = field.masks[:, rows[:, None], columns]
    return jnp.einsum("nrcb,nbij->nrcij", masks, field.kernels)


@jax.jit
def draw_grid(kernels: Array, photo: Array) -> Array:
    """Kernels (N, rows, columns, kh, kw), each drawn in its cell: (N, H, W, 3).

    Each is as bright as its largest value allows, over the photo (N, H, W, 1 or 3),
    dimmed.
    """
    _, rows, columns, kh, kw = kernels.shape
    height, width = photo.shape[1:3]
    bright = kernels / jnp.maximum(kernels.max((3, 4), keepdims=True), 1e-12)
    cells = jnp.swapaxes(bright, 2, 3).reshape(len(photo), rows * kh, columns * kw)
    more = (height - rows * kh, width - columns * kw)
    sides = ((n // 2, n - n // 2) for n in more)
    alpha = jnp.pad(cells, ((0, 0), *sides))[..., None]
    return (1 - alpha) * DIMMED * photo + alpha * jnp.asarray(COLOUR)


def kernel_picture(kernels: np.ndarray) -> np.ndarray:
    """Kernels (h, w) or (rows, columns, h, w) as one image, each as bright as it can.

    A field is drawn as a grid, its kernels where they act.
    """
    field = kernels.reshape((1, 1, *kernels.shape)) if kernels.ndim == 2 else kernels
    peak = field.max((2, 3), keepdims=True)
    bright = np.sqrt(np.clip(field, 0, None) / np.where(peak > 0, peak, 1))
    padded = np.pad(bright, ((0, 0), (0, 0), (0, GAP), (0, GAP)), constant_values=0.3)
    rows, columns, height, width = padded.shape
    grid = padded.transpose(0, 2, 1, 3).reshape(rows * height, columns * width, 1)
    return grid[:-GAP, :-GAP].astype(np.float32)


def grid_picture(kernels: np.ndarray, photo: np.ndarray, width: int) -> np.ndarray:
    """A grid of kernels (rows, columns, kh, kw) over a photo, to be shown at `width`.

    Fewer of them, each larger, where the photo (H, W, C) is wider than that.
    """
    rows, columns = kernels.shape[:2]
    step = min(max(1, round(photo.shape[1] / width)), rows, columns)
    half = step // 2
    fewer = kernels[half::step, half::step][: rows // step, : columns // step]
    larger = fewer.repeat(step, 2).repeat(step, 3)
    return np.asarray(draw_grid(jnp.asarray(larger)[None], jnp.asarray(photo)[None])[0])


def field_picture(field: KernelField, photo: np.ndarray, width: int) -> np.ndarray:
    """The kernels of a field over its photo (H, W, C), as `grid_picture` shows them."""
    size = photo.shape[0], photo.shape[1]
    kernels = kernels_at(field, *cell_middles(size, field.side))
    return grid_picture(np.asarray(kernels[0]), photo, width)
