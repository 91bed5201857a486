"""Dropout whose draws belong to the example, not to the batch or the device."""

import zlib

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array


class Dropout(nn.Module):
    """Each number is zero with the probability `rate`, else divided by 1 - rate.

    `keys` (N,) are one an example, as `training.task.example_keys` makes them; each
    layer folds its own name into them. Without keys nothing is dropped.
    """

    rate: float = 0.5

    @nn.compact
    def __call__(self, x: Array, keys: Array | None = None) -> Array:
        if keys is None or self.rate == 0:
            return x
        here = zlib.crc32("/".join(self.path).encode())

        def kept(key: Array) -> Array:
            key = jax.random.fold_in(key, here)
            return jax.random.bernoulli(key, 1 - self.rate, x.shape[1:])

        return jnp.where(jax.vmap(kept)(keys), x / (1 - self.rate), 0)
