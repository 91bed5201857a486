"""Kernels in a few places of a photo, mixed for the pixels between them."""

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from kernel_space_jax.operators import KernelField
from kernel_space_jax.priors.prior import Unpenalised


@struct.dataclass
class Places(Unpenalised):
    """A `KernelField` of side x side kernels, each softmax(theta): they start out even.

    There are `across` x `across` of them, in the middles of equal parts of a photo of
    `shape` (H, W). A pixel mixes those of the four nearest places, linearly.
    """

    side: int = struct.field(pytree_node=False)
    across: int = struct.field(pytree_node=False)
    shape: tuple[int, int] = struct.field(pytree_node=False)

    def init(self, key: Array, near: KernelField | None = None) -> Array:
        assert near is None
        return jnp.zeros((self.across**2, self.side, self.side))

    def apply(self, theta: Array, key: Array | None = None) -> KernelField:
        count = len(theta)
        kernels = jax.nn.softmax(theta.reshape(count, -1)).reshape(theta.shape)
        parts = jnp.eye(count).reshape(self.across, self.across, count)
        masks = jax.image.resize(parts, (*self.shape, count), "linear")
        return KernelField(kernels[None], masks[None])
