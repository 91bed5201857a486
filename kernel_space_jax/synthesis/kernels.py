"""Kernels in pixels, and the blur that they make.

A kernel h is (size, size) with an odd side, h >= 0, sum h = 1. *Centred* means here
that its centre of mass is the middle pixel, so that blurring moves nothing.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.scipy.ndimage import map_coordinates

from kernel_space_jax.errors import UserError
from kernel_space_jax.operators import uniform
from kernel_space_jax.operators.uniform import Border
from kernel_space_jax.synthesis.trajectories import shake_trajectory

# The canvas that the published length of a trajectory, 60 px, is meant for.
CANVAS = 64
LENGTH = 60.0
# Powers of row and column, of each term of a bend.
BENDS = ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3))


def shake_kernel(
    key: Array,
    size: int,
    *,
    length: float | None = None,
    exposures: Sequence[float] = (0.1, 0.5, 1.0),
    steps: int = 2000,
    anxiety: float = 0.005,
    centripetal: float = 0.7,
    tremor: float = 10.0,
    abrupt: float = 0.2,
) -> Array:
    """The kernel of a random camera shake: (size, size), centred.

    The shutter stays open for one of `exposures`, drawn evenly, of a
    `shake_trajectory` whose `length` in pixels grows with the kernel, 60 for 64.
    """
    shake, shutter = jax.random.split(key)
    path = shake_trajectory(
        shake,
        steps=steps,
        length=size * LENGTH / CANVAS if length is None else length,
        anxiety=anxiety,
        centripetal=centripetal,
        tremor=tremor,
        abrupt=abrupt,
    )
    which = len(exposures) * jax.random.uniform(shutter)
    exposure = jnp.asarray(exposures)[which.astype(jnp.int32)]
    weights = (jnp.arange(steps) < jnp.maximum(exposure * steps, 1)).astype(path.dtype)
    return draw_kernel(path, weights, size)


def draw_kernel(path: Array, weights: Array, size: int) -> Array:
    """The time spent at each pixel: places (T, 2), seconds (T,) -> (size, size).

        h[i, j] = sum_t w_t hat(i - row_t) hat(j - column_t),    hat(d) = max(0, 1-|d|)

    The path is moved so that h is centred. One too long for the kernel is shrunk
    until it fits, and so keeps its shape.
    """
    if size % 2 == 0:
        raise UserError(f"a kernel of {size} pixels has no middle; give it an odd size")
    middle = size // 2
    weights = weights / jnp.sum(weights)
    path = path - jnp.sum(weights[:, None] * path, 0)
    furthest = jnp.max(jnp.where(weights > 0, jnp.abs(path).max(-1), 0))
    path = path * jnp.minimum(1, middle / jnp.maximum(furthest, 1e-6))
    # One product of matrices: adding up point by point is slow on every device.
    pixels = jnp.arange(size) - middle
    rows, columns = (jnp.maximum(0, 1 - jnp.abs(pixels - p[:, None])) for p in path.T)
    highest = lax.Precision.HIGHEST
    h = jnp.matmul(rows.T, weights[:, None] * columns, precision=highest)
    return h / jnp.sum(h)


def bend_kernel(h: Array, bend: Array) -> Array:
    """A kernel (size, size) much like h, centred as well; `bend` is (2, len(BENDS)).

        h'(u) = h(u + d(u)) / sum,    d(u) = m sum_t bend_t (u_1 / m)^p_t (u_2 / m)^q_t

    with (p_t, q_t) of `BENDS`, u from the middle and m the pixels from there to the
    edge. A bend of 0.1 moves the ends of a path by some pixels.
    """
    middle = h.shape[-1] // 2
    at = jnp.stack(jnp.mgrid[: h.shape[-1], : h.shape[-1]]) - middle

    def taken(shift: Array) -> Array:
        u = at + shift[:, None, None]
        row, column = u / middle
        terms = jnp.stack([row**p * column**q for p, q in BENDS])
        moved = u + middle * jnp.einsum("ct,tij->cij", bend, terms)
        bent = jnp.maximum(map_coordinates(h, list(moved + middle), order=1), 0)
        return bent / jnp.maximum(jnp.sum(bent), 1e-12)

    first = taken(jnp.zeros(2))
    return taken(jnp.sum(first * at, (1, 2)))


def blur_uniform(x: Array, h: Array, *, border: Border = "reflect") -> Array:
    """h * x: an image (H, W, C) under one kernel (k, k), of the same size."""
    return uniform.convolve(x[None], h, border=border)[0]
