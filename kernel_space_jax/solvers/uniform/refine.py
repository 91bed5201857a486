"""Improves a kernel by least squares, without the drift of least squares.

    h' = P( e(x, y) - d ),    x = restore(y, h)
    d = e(x*, y*) - h,        y* = h * x + noise,    x* = restore(y*, h)

e(x, y) is the least-squares kernel between two images, P the projection on h >= 0,
sum h = 1. Alone, e(x, y) drifts: a prior has smoothed x, so the best kernel for x is
narrower than that of the photo. A photo y* that was made with h has the same drift d.
There it can be measured; it is then subtracted (indirect inference, Gourieroux,
Monfort and Renault 1993). So the true kernel is a fixed point.
"""

import jax
from jax import Array, lax

from kernel_space_jax.operators import uniform
from kernel_space_jax.solvers.uniform.non_blind import noise_level, restore

# More of them changed nothing on photographs that we blurred.
ROUNDS, STEPS = 1, 40
ESTIMATE_STEPS = 60


def refine_kernel(y: Array, h: Array, key: Array, *, turns: int = 1) -> Array:
    """Kernels (N, size, size) nearer to those behind y (N, H, W, C); size is odd.

    `key` draws the noise of the photos that are made to measure the drift of h.
    """
    x = restore(y, h, rounds=ROUNDS, steps=STEPS)
    again = _photo(x, h, noise_level(y), key)
    x_again = restore(again, h, rounds=ROUNDS, steps=STEPS)
    # It changes little from turn to turn, and is half of the work.
    drift = _least_squares(x_again, again, h) - h

    def moved(h: Array, x: Array) -> Array:
        return jax.vmap(uniform.project)(_least_squares(x, y, h) - drift)

    def turn(_: int, h: Array) -> Array:
        return moved(h, restore(y, h, rounds=ROUNDS, steps=STEPS))

    return lax.fori_loop(1, turns, turn, moved(h, x))


def _least_squares(x: Array, y: Array, h: Array) -> Array:
    """e(x, y) in a box as large as h."""
    return uniform.estimate(x, y, h.shape[-1], steps=ESTIMATE_STEPS)


def _photo(x: Array, h: Array, noise: Array, key: Array) -> Array:
    """h * x where the kernel lies within x, with noise of the levels (N, C)."""
    y = uniform.convolve(x, h, border="valid")
    return y + noise[:, None, None] * jax.random.normal(key, y.shape)
