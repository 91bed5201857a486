"""Distances between two images."""

import jax.numpy as jnp
from jax import Array

from kernel_space_jax.metrics.ssim import ssim


def charbonnier(x: Array, y: Array, *, epsilon: float = 1e-6) -> Array:
    """rho(x, y) = sum sqrt((x - y)^2 + epsilon) over all axes (Tran et al. 2021)."""
    return jnp.sum(jnp.sqrt((x - y) ** 2 + epsilon))


def structural(x: Array, y: Array) -> Array:
    """1 - mean SSIM(x, y) with zero borders: two (N, H, W, C) -> (), as JointDeblur."""
    return 1.0 - jnp.mean(ssim(x, y, border="zero"))
