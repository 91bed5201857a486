"""Colour conversions that published scores are taken in."""

import jax.numpy as jnp
from jax import Array


def luma(x: Array) -> Array:
    """Y = (16 + 65.481 R + 128.553 G + 24.966 B) / 255 (BT.601): NHW3 -> NHW1."""
    weights = jnp.array([65.481, 128.553, 24.966], x.dtype)
    return (16.0 + jnp.sum(x * weights, axis=-1, keepdims=True)) / 255.0
