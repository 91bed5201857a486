"""Restoring with uncertain kernels.

The masks of such a field are probabilities of kernels, not weights of a mixture. No
candidate is exactly right: the part that none explains counts as noise.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.operators import KernelField
from kernel_space_jax.solvers.per_pixel.beyond import Restoration
from kernel_space_jax.solvers.per_pixel.half_quadratic import half_quadratic
from kernel_space_jax.solvers.per_pixel.richardson_lucy import photo_noise
from kernel_space_jax.solvers.tiles import Tile, join, side_by_side, tiles

# Probabilities of many candidates are too even, so they are raised to this power; and
# the noise counts as at least this. Of 0.015 to 0.03 the two lowest are the best on 16
# BSDS images that no table has (0.14 dB above 0.03), and 0.03 on the middles of GoPro's
# pairs (0.1 above 0.02), where a mender is better than any of them.
DECIDED = 1.5
FOUND_NOISE = 0.02
# The most kernels in one call of a solver.
LIKELIEST = 24
LEAST_MASK = 1e-6
# A kernel with so much of its light in one pixel is no blur.
STILL = 0.99
# Pixels that neighbouring tiles share.
OVERLAP = 64

half_quadratic_found = partial(half_quadratic, likely=True, steps=3)


def solve_found(
    y: np.ndarray,
    field: KernelField,
    solve: Callable[..., Restoration],
    *,
    side: int,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """The sharp x of a photo y (H, W, C) under its field, in tiles of `side` pixels.

    Each tile has the kernels that are likeliest there; the noise is that of all of y.
    """
    field = decided(field)
    noise = found_noise(jnp.asarray(y)[None])
    overlap = min(OVERLAP, side // 4)
    places = tiles(y.shape[:2], side, overlap)

    def one(place: Tile) -> np.ndarray:
        part = jnp.asarray(y[place.rows, place.columns])[None]
        masks = field.masks[:, place.rows, place.columns]
        x = solve(part, likeliest(field._replace(masks=masks)), noise=noise).x[0]
        return np.asarray(jnp.clip(x, 0, 1))

    return join(side_by_side(one, places, tell), places, y.shape, overlap)


def keep_still(y: np.ndarray, x: np.ndarray, field: KernelField) -> np.ndarray:
    """x (H, W, C), and y as far as no kernel of its field has blurred it."""
    still = np.asarray(stillness(decided(field))[0])
    return still * y + (1 - still) * x


@jax.jit
def decided(field: KernelField) -> KernelField:
    """The field with each pixel nearer to the kernel that it has most of."""
    masks = field.masks**DECIDED
    return field._replace(masks=masks / jnp.sum(masks, -1, keepdims=True))


@partial(jax.jit, static_argnames="count")
def likeliest(field: KernelField, count: int = LIKELIEST) -> KernelField:
    """Each field with no more kernels than `count`, those with most of its pixels."""
    share = jnp.mean(field.masks, (1, 2))
    kept = jnp.argsort(-share, -1)[:, :count]
    masks = LEAST_MASK + jnp.take_along_axis(field.masks, kept[:, None, None], -1)
    return KernelField(
        jnp.take_along_axis(field.kernels, kept[..., None, None], 1),
        masks / jnp.sum(masks, -1, keepdims=True),
    )


@jax.jit
def stillness(field: KernelField) -> Array:
    """The part of each pixel that no kernel has blurred: (N, H, W, 1).

    That part of the photo stays as it is; a solver would remove its noise.
    """
    nothing = jnp.max(field.kernels, (-2, -1)) > STILL
    return jnp.einsum("nhwb,nb->nhw", field.masks, nothing.astype(float))[..., None]


@jax.jit
def found_noise(y: Array) -> Array:
    """sigma of photos (N, H, W, C) for a solver with uncertain kernels: (N,)."""
    return jnp.maximum(photo_noise(y, None), FOUND_NOISE)
