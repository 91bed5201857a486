"""Values that are their own parameters: no network in between."""

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array


@struct.dataclass
class Free:
    """Any value, of the shape of the one that a search starts from."""

    start: Array

    def init(self, key: Array) -> Array:
        return self.start

    def apply(self, theta: Array, key: Array | None = None) -> Array:
        return theta


@struct.dataclass
class Simplex:
    """A pixel kernel h = softmax(theta): h > 0, sum h = 1, as large as `start`.

    The search starts from `start`, which need not be positive everywhere.
    """

    start: Array

    def init(self, key: Array) -> Array:
        # Where the start has nothing, a hundredth of an even share can still grow.
        return jnp.log(jnp.maximum(self.start, 0.01 / self.start.size))

    def apply(self, theta: Array, key: Array | None = None) -> Array:
        return jax.nn.softmax(theta.ravel()).reshape(theta.shape)
