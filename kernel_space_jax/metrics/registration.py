"""The homography between two images, by enhanced correlation (Evangelidis 2008).

ECC maximises the correlation coefficient of x and z(M p) over the eight entries of M,
by Gauss-Newton steps from the identity. It is blind to gain and offset.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from kernel_space_jax.metrics.warp import coordinates, inside, sample

MOST_STEPS = 100
# A step that moves no corner further ends the search. 100 steps of OpenCV end nearer
# to the maximum than this by less than one can see in the third decimal of a PSNR.
TOLERANCE = 1e-3
# OpenCV's filter of 5 taps, which blurs both images.
TAPS = np.array([1, 4, 6, 4, 1]) / 16
# Rows summed at a time, which stay in the cache: 66 ms a step instead of 184.
ROWS = 8


class Homography(NamedTuple):
    """M with z(M p) = x(p), the steps taken, and the correlation reached."""

    matrix: Array
    steps: Array
    correlation: Array


def homography(x: Array, z: Array) -> Homography:
    """How z must be warped to lie on x: two (N, H, W) -> N of everything.

    Stops when it has converged, where lambda of the paper turns negative (the images
    have nothing in common), or after 100 steps. Images are taken one by one, each with
    its own number of steps.
    """
    return lax.map(lambda pair: _homography(*pair), (x, z))


def _homography(x: Array, z: Array) -> Homography:
    shape = x.shape
    # In units of the longer side all eight entries weigh alike.
    unit = jnp.diag(jnp.array([1 / max(shape), 1 / max(shape), 1], x.dtype))
    template, image = _blur(x), _blur(z)
    channels = jnp.stack([image, *_slopes(image)], axis=-1)
    columns, rows = jnp.array([[0, shape[1] - 1] * 2, [0, 0] + [shape[0] - 1] * 2])
    corners = jnp.stack([columns, rows, jnp.ones_like(rows)]).astype(x.dtype)

    def in_pixels(matrix: Array) -> Array:
        return jnp.linalg.inv(unit) @ matrix @ unit

    def place(matrix: Array) -> Array:
        moved = in_pixels(matrix) @ corners
        return moved[:2] / moved[2]

    def advance(state: tuple) -> tuple:
        matrix, steps, _, _ = state
        sums = _sums(channels, template, in_pixels(matrix), 1 / max(shape))
        change, correlation, sound = _step(sums)
        ahead = matrix + jnp.append(change, 0).reshape(3, 3)
        moved = jnp.max(jnp.abs(place(ahead) - place(matrix)))
        sound &= jnp.isfinite(moved)
        matrix = jnp.where(sound, ahead, matrix)
        return matrix, steps + 1, jnp.where(sound, moved, 0), correlation

    def unfinished(state: tuple) -> Array:
        _, steps, moved, _ = state
        return (steps < MOST_STEPS) & (moved > TOLERANCE)

    start = (jnp.eye(3, dtype=x.dtype), 0, jnp.inf, jnp.array(0.0))
    matrix, steps, _, correlation = lax.while_loop(unfinished, advance, start)
    return Homography(in_pixels(matrix), jnp.asarray(steps), correlation)


def _blur(x: Array) -> Array:
    """x under the 5-tap Gaussian, reflected without its outermost pixel: (H, W)."""
    for axis in (0, 1):
        padded = jnp.pad(
            x, [(2, 2) if a == axis else (0, 0) for a in (0, 1)], "reflect"
        )
        shifted = (
            lax.slice_in_dim(padded, i, i + x.shape[axis], axis=axis) for i in range(5)
        )
        x = sum((tap * s for tap, s in zip(TAPS, shifted, strict=True)), jnp.zeros(()))
    return x


def _slopes(x: Array) -> tuple[Array, Array]:
    """Central differences along columns and rows, zero at the border: two (H, W)."""
    padded = jnp.pad(x, 1, "reflect")
    across = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    return across, down


def _sums(channels: Array, template: Array, matrix: Array, unit: float) -> Array:
    """Inner products over the overlap of [dz/dM (8), z(M p), x, 1]: (11, 11)."""
    height, width = template.shape
    rows, columns = coordinates(matrix, template.shape)
    # Zeros beyond the border reach the outermost pixels, as they do in OpenCV.
    image, across, down = jnp.moveaxis(sample(channels, rows, columns), -1, 0)
    # Means that are nearly gone do not cancel digits of the sums.
    image, template = image - jnp.mean(image), template - jnp.mean(template)
    mask = inside(rows, columns, template.shape).astype(template.dtype)
    row, column = jnp.meshgrid(
        jnp.arange(height) * unit, jnp.arange(width) * unit, indexing="ij"
    )
    scale = 1 / (matrix[2, 0] * column / unit + matrix[2, 1] * row / unit + 1)
    across, down = across * scale / unit, down * scale / unit
    towards = -(across * columns * unit + down * rows * unit)
    parts = [across, down, towards, image, template, row, column, mask]
    strips = -(-height // ROWS)
    spare = ((0, strips * ROWS - height), (0, 0))
    stacked = jnp.stack([jnp.pad(part, spare) for part in parts], axis=1)
    stacked = stacked.reshape(strips, ROWS, len(parts), width)

    def add(total: Array, strip: Array) -> tuple[Array, None]:
        across, down, towards, image, template, row, column, mask = jnp.moveaxis(
            strip, 1, 0
        )
        columns = [
            slope * by
            for slope in (across, down)
            for by in (column, row, jnp.ones_like(row))
        ]
        columns += [towards * column, towards * row]
        columns += [image, template, jnp.ones_like(image)]
        matrix = (mask * jnp.stack(columns)).reshape(len(columns), -1)
        product = jnp.matmul(matrix, matrix.T, precision=lax.Precision.HIGHEST)
        return total + product, None

    return lax.scan(add, jnp.zeros((11, 11), template.dtype), stacked)[0]


def _step(sums: Array) -> tuple[Array, Array, Array]:
    """The change of M's eight entries, the correlation, and whether to take it."""
    pixels = sums[10, 10]
    jacobian = sums[:8, 10]
    image_mean, template_mean = sums[8, 10] / pixels, sums[9, 10] / pixels
    image = sums[:8, 8] - image_mean * jacobian
    template = sums[:8, 9] - template_mean * jacobian
    image_power = sums[8, 8] - pixels * image_mean**2
    template_power = sums[9, 9] - pixels * template_mean**2
    product = sums[8, 9] - pixels * image_mean * template_mean
    solved = jax.scipy.linalg.solve(
        sums[:8, :8], jnp.stack([image, template], 1), assume_a="pos"
    )
    above = image_power - image @ solved[:, 0]
    below = product - template @ solved[:, 0]
    gain = above / below
    correlation = product / jnp.sqrt(image_power * template_power)
    return gain * solved[:, 1] - solved[:, 0], correlation, below > 0
