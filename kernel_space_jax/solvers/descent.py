"""x from a photo y and its blur k, under any operator F that has a gradient.

    x = argmin_x  mean (F(x, k) - y)^2 + strength mean |grad x|^0.66

The pixels are free, and descend from the photo itself: what a network that drew x
has smoothed, or made up, is left behind. For a convolution `non_blind.restore` is
better and faster; F of a learned space has no spectrum to divide by.
"""

import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.losses.regularisers import hyper_laplacian
from kernel_space_jax.operators import Operator
from kernel_space_jax.solvers.blind_search import Rate
from kernel_space_jax.solvers.minimise import minimise
from kernel_space_jax.solvers.non_blind import noise_level

# Chosen on codes of the shipped space that were known, and on found ones, with noise
# of 0, 1 and 3 %: scripts/evaluate.py in-space has the scores.
STEPS = 100
RATE = Rate(1e-2, 0.5, (41, 61, 81))
LEAST_STRENGTH = 1e-4
STRENGTH_PER_VARIANCE = 1 / 3


def restore_under(operator: Operator, y: Array, k: Array) -> Array:
    """The sharp image x behind y = F(x, k) + noise, (1, H, W, C) as y, not clipped."""
    noise = jnp.mean(jnp.square(noise_level(y)))
    strength = jnp.maximum(STRENGTH_PER_VARIANCE * noise, LEAST_STRENGTH)

    def loss(x: Array, step: Array, key: Array) -> Array:
        error = jnp.mean(jnp.square(operator(x, k) - y))
        return error + strength * hyper_laplacian(x)

    key = jax.random.key(0)  # nothing is drawn
    return minimise(loss, y, RATE.adam(), steps=STEPS, key=key).params
