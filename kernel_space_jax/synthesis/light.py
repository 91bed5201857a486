"""Between the numbers of a photo and the light that made them."""

import jax.numpy as jnp
from jax import Array

GAMMA = 2.2


def to_light(x: Array, gamma: float = GAMMA) -> Array:
    """x^gamma: a photo to linear light, any shape; values below 0 become 0."""
    return jnp.power(jnp.maximum(x, 0), gamma)


def to_photo(light: Array, gamma: float = GAMMA) -> Array:
    """light^(1/gamma), the inverse of `to_light`; values below 0 become 0."""
    return jnp.power(jnp.maximum(light, 0), 1 / gamma)
