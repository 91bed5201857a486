"""Values that are their own parameters: no network in between."""

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from kernel_space_jax.priors.prior import Unpenalised


@struct.dataclass
class Free(Unpenalised):
    """Any value of a shape; a search starts from a half everywhere."""

    shape: tuple[int, ...] = struct.field(pytree_node=False)

    def init(self, key: Array, near: Array | None = None) -> Array:
        return jnp.full(self.shape, 0.5) if near is None else near

    def apply(self, theta: Array, key: Array | None = None) -> Array:
        return theta


@struct.dataclass
class Simplex(Unpenalised):
    """A pixel kernel h = softmax(theta): h > 0, sum h = 1; it starts out even."""

    size: int = struct.field(pytree_node=False)

    def init(self, key: Array, near: Array | None = None) -> Array:
        if near is None:
            return jnp.zeros((self.size, self.size))
        # Where it has nothing, a hundredth of an even share can still grow.
        return jnp.log(jnp.maximum(near, 0.01 / near.size))

    def apply(self, theta: Array, key: Array | None = None) -> Array:
        return jax.nn.softmax(theta.ravel()).reshape(theta.shape)
