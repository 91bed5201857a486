"""The residual score of a kernel: how badly it explains a photo. Low is good.

    log error + w log (|grad x|_1 / |grad x|_2) + v mean max(-x, x - 1, 0)

It adds the part of the photo's edges that the kernel does not explain, the spread of
x's edges, and x's values beyond black and white. Also: whether a photo is sharp.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.solvers.uniform.map_turns import unexplained
from kernel_space_jax.solvers.uniform.non_blind import restore
from kernel_space_jax.solvers.uniform.sharpness import sharpness

# w and v, chosen on 50 photographs that we blurred with shakes of 5 to 31 pixels, and
# on our samples. Any w of 1.2 to 4 and v of 30 to 1000 does as well; three of Köhler's
# need w above 2.5. Without v some kernels with a haze around them win, which take a
# small blur for a large one: -13 dB.
SPARSE, OUTSIDE, SCORED_BORDER = 3.0, 100.0, 20
# A photo is sharp if its sharpness is above the first of these, or above the second
# where the kernel found reduces its edges by less than this part. Of 16 sharp images
# of Kodak and BSDS that leaves 2 out; shakes of 5 to 31 pixels are below the second.
SURELY_SHARP, PERHAPS_SHARP, FEWER = -1.3, -1.95, 0.12


class Blind(NamedTuple):
    """h: (N, size, size), centred; error: (N,), how badly it explains the photo."""

    h: Array
    error: Array


@jax.jit
def residual_score(y: Array, h: Array) -> Array:
    """The residual scores (N,) of any kernels (N, size, size)."""
    error = jax.vmap(unexplained)(jnp.mean(y, -1), h)
    return score_found(y, Blind(h, error))


@jax.jit
def score_found(y: Array, found: Blind) -> Array:
    """The residual scores (N,) of the kernels of a search."""
    x = _rough(y, found.h)
    outside = jnp.mean(jnp.maximum(jnp.maximum(-x, x - 1), 0), (1, 2))
    return jnp.log(found.error + 1e-6) + SPARSE * _edges(x) + OUTSIDE * outside


@jax.jit
def edges(images: Array) -> Array:
    """log (|grad x|_1 / |grad x|_2) of the middles of images (N, H, W, C): (N,)."""
    return _edges(_middle(jnp.mean(images, -1)))


@jax.jit
def sharp_left(y: Array, found: Blind) -> Blind:
    """The kernels found, or no blur where y (N, H, W, C) is sharp."""
    middle = found.h.shape[-1] // 2
    nothing = jnp.zeros_like(found.h).at[:, middle, middle].set(1)
    sharp = _is_sharp(y, found.h, nothing)
    return Blind(
        jnp.where(sharp[:, None, None], nothing, found.h),
        jnp.where(sharp, 0, found.error),
    )


def _is_sharp(y: Array, h: Array, nothing: Array) -> Array:
    """Whether the photos have no blur worth undoing, with h or with nothing: (N,)."""
    s, fewer = sharpness(y), _edges(_rough(y, nothing)) - _edges(_rough(y, h))
    return (s > SURELY_SHARP) | (s > PERHAPS_SHARP) & (fewer < FEWER)


def _rough(y: Array, h: Array) -> Array:
    """The middle of the grey x of h, by a few steps: (N, h, w)."""
    x = restore(jnp.mean(y, -1, keepdims=True), h, rounds=1, steps=20)[..., 0]
    return _middle(x)


def _middle(x: Array) -> Array:
    """Images (N, H, W) without their borders."""
    reach = min(SCORED_BORDER, min(x.shape[1:3]) // 4)
    return x[:, reach:-reach, reach:-reach]


def _edges(x: Array) -> Array:
    """log (|grad x|_1 / |grad x|_2) of x (N, h, w): (N,) (Krishnan et al. 2011)."""
    down, right = x[:, 1:, :-1] - x[:, :-1, :-1], x[:, :-1, 1:] - x[:, :-1, :-1]
    power = down**2 + right**2
    spread = jnp.mean(jnp.sqrt(power), (1, 2)) / jnp.sqrt(jnp.mean(power, (1, 2)))
    return jnp.log(spread + 1e-6)
