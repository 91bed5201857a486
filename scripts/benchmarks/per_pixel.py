"""The per-pixel restoration that is raced: its blur, and ours as plain as rivals."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.operators import KernelField
from kernel_space_jax.solvers import richardson_lucy


def random_field(kernels: int, side: int, height: int, width: int) -> KernelField:
    """Random kernels and masks, smooth enough to be a blur."""
    draw = np.random.default_rng(0)
    shapes = draw.random((1, kernels, side, side), np.float32) ** 8
    masks = draw.random((1, height, width, kernels), np.float32) ** 4
    return KernelField(
        jnp.asarray(shapes / shapes.sum((2, 3), keepdims=True)),
        jnp.asarray(masks / masks.sum(-1, keepdims=True)),
    )


def plain(y: Array, field: KernelField, steps: int) -> Array:
    """Richardson-Lucy without the prior and the sensor's response: (N, H, W, C)."""
    options = {"noise": 0.0, "saturates": False, "strength": 0.0}
    return richardson_lucy(y, field, steps=steps, **options).x
