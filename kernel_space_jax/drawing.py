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


@jax.jit
def draw_field(field: KernelField, photo: Array) -> Array:
    """The kernels of a grid of pixels, each drawn where it acts: (N, H, W, 3).

    Cells are as large as the kernels. A cell shows the kernel of the pixel in its
    middle, as bright as its largest value allows, over the photo (N, H, W, 1 or 3),
    dimmed.
    """
    kh, kw = field.side
    height, width = photo.shape[1:3]
    rows, columns = height // kh, width // kw
    top, left = (height - rows * kh) // 2, (width - columns * kw) // 2
    at = (
        slice(None),
        slice(top + kh // 2, top + rows * kh, kh),
        slice(left + kw // 2, left + columns * kw, kw),
    )
    h = jnp.einsum("nrcb,nbij->nricj", field.masks[at], field.kernels)
    h = h / jnp.maximum(h.max((2, 4), keepdims=True), 1e-12)
    grid = h.reshape(len(photo), rows * kh, columns * kw)
    sides = ((top, height - rows * kh - top), (left, width - columns * kw - left))
    alpha = jnp.pad(grid, ((0, 0), *sides))[..., None]
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
