"""Improves a kernel by turns of x and h, without their bias.

    h' = P( h + rate (e(y, h) - e(y*, h)) ),    y* = h * restore(y, h) + noise

e(y, h) is the kernel after some turns (map_turns.py) that start at h, P the projection
on h >= 0, sum h = 1. Alone, e(y, h) drifts even from the true kernel: its x has fewer
and steeper edges than a photo. A photo y* that was made with h has nearly the same
drift. There it can be measured; it is then subtracted (indirect inference, Gourieroux,
Monfort and Renault 1993). So the true kernel is nearly a fixed point.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.operators import uniform
from kernel_space_jax.solvers.uniform.map_turns import in_turns
from kernel_space_jax.solvers.uniform.non_blind import noise_level, restore

# Chosen on two sets that we blurred: 24 photographs of BSDS under shakes of 9 to 31
# pixels (28.93 dB become 29.50; 30.65 with the true kernels), and 16 under a camera
# that also rolled (26.75 become 27.03). A third round loses 0.03 to 0.06 dB.
ROUNDS, TURNS, RATE = 2, 8, 0.7
# The strength of few edges, over the variance of the noise, and its least. From 2 to 8
# times little changes.
STRENGTH, LEAST = 4.0, 2e-5
# As many as in a search gain nothing here.
KERNEL_STEPS = 2
STEPS = 40


def refine_kernel(y: Array, h: Array, key: Array, *, rounds: int = ROUNDS) -> Array:
    """Kernels (N, size, size) nearer to those behind y (N, H, W, C); size is odd.

    `key` draws the noise of the photos that are made to measure the drift of h.
    """
    return jax.vmap(lambda y, h: refined(jnp.mean(y, -1), h, key, rounds))(y, h)


def refined(plane: Array, h: Array, key: Array, rounds: int = ROUNDS) -> Array:
    """The same for one kernel (size, size) of one photo (H, W)."""
    y = plane[None, ..., None]
    noise = noise_level(y)
    strength = jnp.maximum(STRENGTH * noise[0, 0] ** 2, LEAST)

    def after_turns(y: Array, h: Array) -> Array:
        settings = {"fall": 1.0, "least": 0.0, "kernel_steps": KERNEL_STEPS}
        return in_turns(y[0, ..., 0], h, strength, TURNS, **settings)[0]  # type: ignore[arg-type]

    def one_round(h: Array, key: Array) -> tuple[Array, None]:
        x = restore(y, h[None], rounds=1, steps=STEPS)
        bias = after_turns(_photo(x, h, noise, key), h)
        return uniform.project(h + RATE * (after_turns(y, h) - bias)), None

    return lax.scan(one_round, h, jax.random.split(key, rounds))[0]


def _photo(x: Array, h: Array, noise: Array, key: Array) -> Array:
    """h * x where the kernel lies within x, with noise of the levels (1, C)."""
    y = uniform.convolve(x, h[None], border="valid")
    return y + noise[:, None, None] * jax.random.normal(key, y.shape)
