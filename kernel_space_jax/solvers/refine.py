"""A kernel made better by the photo that it restores, with a fixed point that is right.

    h' = P( h + e(x, y) - e(x*, y*) ),    x = restore(y, h)
                                          y* = h * x + noise,    x* = restore(y*, h)

e(x, y) is the least-squares kernel between two images, P the projection on h >= 0,
sum h = 1. Alone, e(x, y) drifts: a prior has smoothed x, so the best kernel for x is
narrower than that of the photo. The same drift happens to a photo y* that was made
with h, where it can be measured, and is taken away (indirect inference, Gourieroux,
Monfort and Renault 1993). At the true kernel both are alike, and it stays.
"""

import jax
from jax import Array, lax

from kernel_space_jax.operators import uniform
from kernel_space_jax.solvers.non_blind import noise_level, restore

# More of them changed nothing on photographs that we blurred.
ROUNDS, STEPS = 1, 40


def refine_kernel(y: Array, h: Array, key: Array, *, turns: int = 1) -> Array:
    """Kernels (N, size, size) nearer to those behind y (N, H, W, C); size is odd.

    `key` draws the noise of the photos that are made.
    """

    def turn(h: Array, key: Array) -> tuple[Array, None]:
        x = restore(y, h, rounds=ROUNDS, steps=STEPS)
        again = _photo(x, h, noise_level(y), key)
        x_again = restore(again, h, rounds=ROUNDS, steps=STEPS)
        size = h.shape[-1]
        drift = uniform.estimate(x_again, again, size) - h
        return jax.vmap(uniform.project)(uniform.estimate(x, y, size) - drift), None

    return lax.scan(turn, h, jax.random.split(key, turns))[0]


def _photo(x: Array, h: Array, noise: Array, key: Array) -> Array:
    """h * x where the kernel lies within x, with noise of the levels (N, C)."""
    y = uniform.convolve(x, h, border="valid")
    return y + noise[:, None, None] * jax.random.normal(key, y.shape)
