"""What both StyleGANs share: options and layers; weights are stored as N(0, 1).

They are scaled in each call by gain / sqrt(fan in), so that all learn at one rate.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.models.generators.generator import Generator

# The mapping learns a hundred times slower than the rest.
MAPPING_RATE = 0.01
SLOPE = 0.2
EPSILON = 1e-8

unit = nn.initializers.normal(1.0)


def normalised(z: Array) -> Array:
    """z (N, S) of length sqrt(S)."""
    return z * jax.lax.rsqrt(jnp.mean(jnp.square(z), -1, keepdims=True) + EPSILON)


class Growing(Generator):
    """Grows an image from 4x4 pixels: `widths` are the features at 4, 8, ... R.

    Each size has two styles; `mapping` layers make a style of z.
    """

    widths: tuple[int, ...] = (512, 512, 512, 512)
    style: int = 512
    mapping: int = 8

    slope = SLOPE

    @property
    def size(self) -> int:
        return 4 * 2 ** (len(self.widths) - 1)

    @property
    def latents(self) -> tuple[int, int]:
        return 2 * len(self.widths), self.style


class Linear(nn.Module):
    """x W gain / sqrt(fan in) + b, both times `rate`."""

    features: int
    rate: float = 1.0
    bias: float = 0.0
    gain: float = 1.0

    @nn.compact
    def __call__(self, x: Array) -> Array:
        first = nn.initializers.normal(1 / self.rate)
        w = self.param("kernel", first, (x.shape[-1], self.features))
        start = nn.initializers.constant(self.bias / self.rate)
        b = self.param("bias", start, (self.features,))
        return x @ (w * (self.gain * self.rate * x.shape[-1] ** -0.5)) + b * self.rate


class Noise(nn.Module):
    """x + weight n, the same map n (N or 1, H, W, 1) for all channels.

    The weight is one number, or with `each` one a channel.
    """

    each: bool = False

    @nn.compact
    def __call__(self, x: Array, n: Array) -> Array:
        shape = (x.shape[-1] if self.each else 1,)
        return x + self.param("weight", nn.initializers.zeros, shape) * n
