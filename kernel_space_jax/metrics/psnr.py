"""Peak signal-to-noise ratio."""

import jax.numpy as jnp
from jax import Array


def crop_border(x: Array, crop: int) -> Array:
    """x without `crop` pixels on each side: (N, H, W, C) -> (N, H', W', C)."""
    return x[:, crop : x.shape[1] - crop, crop : x.shape[2] - crop]


def psnr(x: Array, y: Array, *, crop: int = 0) -> Array:
    """-10 log10 mean (x - y)^2 in dB: two (N, H, W, C) -> (N,); inf where x = y."""
    x, y = crop_border(x, crop), crop_border(y, crop)
    return -10.0 * jnp.log10(jnp.mean((x - y) ** 2, axis=(1, 2, 3)))
