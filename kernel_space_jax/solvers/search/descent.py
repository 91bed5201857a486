"""x from a photo y and its blur k, under any operator F that has a gradient.

    x = argmin_x  mean (F(x, k) - y)^2 + strength sum_i w_i mean |D_i x|^0.8

D_i are the first and second differences of `non_blind`, w_i their weights. The pixels
are free, and descend from the photo itself: what a network that drew x has smoothed, or
made up, is left behind. F of a learned space has no spectrum to divide by.
"""

import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.operators import Operator
from kernel_space_jax.solvers.minimise import minimise
from kernel_space_jax.solvers.search.blind_search import Rate
from kernel_space_jax.solvers.uniform.non_blind import DIFFERENCES, noise_level

STEPS = 100
RATE = Rate(1e-2, 0.5, (41, 61, 81))
# Chosen on crops of Kodak under known codes of the shipped space, and on a sample
# picture under a motion kernel, each with noise of 0, 1 and 3 %.
LEAST_STRENGTH = 4e-4
STRENGTH_PER_VARIANCE = 4.0
POWER, EPSILON = 0.8, 1e-6


def restore_under(operator: Operator, y: Array, k: Array) -> Array:
    """The sharp image x behind y = F(x, k) + noise, (1, H, W, C) as y, not clipped."""
    variance = jnp.mean(jnp.square(noise_level(y)))
    strength = jnp.maximum(STRENGTH_PER_VARIANCE * variance, LEAST_STRENGTH)

    def loss(x: Array, step: Array, key: Array) -> Array:
        error = jnp.mean(jnp.square(operator(x, k) - y))
        return error + strength * _roughness(x)

    key = jax.random.key(0)  # nothing is drawn
    return minimise(loss, y, RATE.optimiser(), steps=STEPS, key=key).params


def _roughness(x: Array) -> Array:
    """sum_i w_i mean |D_i x|^0.8 over all pixels and channels: (1, H, W, C) -> ()."""
    total = jnp.zeros(())
    for name, weight in DIFFERENCES.items():
        step = x
        for axis in name:
            step = jnp.diff(step, axis={"y": 1, "x": 2}[axis])
        power = (jnp.square(step) + EPSILON) ** (POWER / 2)
        total = total + weight * jnp.mean(power)
    return total
