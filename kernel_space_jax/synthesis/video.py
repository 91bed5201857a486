"""Video: a long exposure is the mean of the short ones that it holds.

As GoPro (Nah et al., 2017) and its successors are made.
"""

import jax.numpy as jnp
from jax import Array

from kernel_space_jax.operators.camera import GAMMA, to_light, to_photo


def average_frames(frames: Array, gamma: float = GAMMA) -> Array:
    """y = (1/T sum_t x_t^gamma)^(1/gamma): (T, H, W, C) in [0, 1] -> (H, W, C).

    The light of all frames adds up; gamma 1 averages the photos as they are.
    """
    return to_photo(jnp.mean(to_light(frames, gamma), 0), gamma)
