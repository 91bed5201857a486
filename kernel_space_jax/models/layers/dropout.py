"""Dropout whose draws belong to the example, not to the batch or the device."""

import zlib

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array


class Dropout(nn.Module):
    """Each number is zero with the probability `rate`, else divided by 1 - rate.

    With `maps` it is each channel of an example (N, H, W, C), with all of its pixels.
    `keys` (N,) are one an example, as `training.task.example_keys` makes them; each
    layer folds its own name into them. Without keys nothing is dropped.
    """

    rate: float = 0.5
    maps: bool = False

    @nn.compact
    def __call__(self, x: Array, keys: Array | None = None) -> Array:
        if keys is None or self.rate == 0:
            return x
        shape = (1, 1, x.shape[-1]) if self.maps else x.shape[1:]
        here = zlib.crc32("/".join(self.path).encode())

        def kept(key: Array) -> Array:
            key = jax.random.fold_in(key, here)
            return jax.random.bernoulli(key, 1 - self.rate, shape)

        return jnp.where(jax.vmap(kept)(keys), x / (1 - self.rate), 0)
