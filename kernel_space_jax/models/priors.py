"""The two untrained networks of the blind search (deep image priors).

    x = ImagePrior(z_x)    Ulyanov et al. 2018, with non-local blocks
    k = KernelPrior(z_k)   Tran et al. 2021

Their weights are found for one image at a time; the inputs z stay fixed noise.
"""

import flax.linen as nn
import jax.numpy as jnp
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.kernel_space import KernelEncoder
from kernel_space_jax.models.layers import (
    BatchNorm,
    Conv,
    NonLocalBlock,
    Padding,
    centre_crop,
    upsample_bilinear,
)


class ConvNormAct(nn.Module):
    """LeakyReLU(BN(conv(x)), 0.2)."""

    features: int
    kernel: int
    stride: int = 1
    padding: Padding = "zero"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        conv = Conv(self.features, self.kernel, self.stride, self.padding, name="conv")
        return nn.leaky_relu(BatchNorm(name="norm")(conv(x)), 0.2)


class Scale(nn.Module):
    """One scale of the skip network, and within it all smaller ones.

    (N, H, W, C) -> (N, H, W, width): a 1x1 skip beside a path through half the
    size, joined, normalised and mixed.
    """

    index: int
    scales: int
    width: int
    skip: int
    padding: Padding

    @nn.compact
    def __call__(self, x: Array) -> Array:
        layer = lambda name, kernel, stride=1: ConvNormAct(  # noqa: E731
            self.width, kernel, stride, self.padding, name=name
        )
        skip = ConvNormAct(self.skip, 1, name="skip")(x)
        y = layer("down", 3, 2)(x)
        if self.index > 1:
            y = NonLocalBlock(name="nonlocal")(y)
        y = layer("deep", 3)(y)
        if self.index + 1 < self.scales:
            y = Scale(
                self.index + 1,
                self.scales,
                self.width,
                self.skip,
                self.padding,
                name="inner",
            )(y)
        y = centre_crop(upsample_bilinear(y), (skip.shape[1], skip.shape[2]))
        y = BatchNorm(name="norm")(jnp.concatenate([skip, y], -1))
        return layer("mix", 1)(layer("up", 3)(y))


class ImagePrior(nn.Module):
    """The skip network: noise (N, H, W, 8) -> image (N, H, W, 3) in (0, 1).

    Norms use the statistics of the batch at hand. The published training file says
    "reflect", which its code reads as zero padding: hence the default.
    """

    width: int = 128
    skip: int = 16
    scales: int = 5
    channels: int = 3
    padding: Padding = "zero"

    @nn.compact
    def __call__(self, z: Array) -> Array:
        x = Scale(0, self.scales, self.width, self.skip, self.padding, name="scale")(z)
        return nn.sigmoid(Conv(self.channels, 1, name="image")(x))


class KernelPrior(nn.Module):
    """Noise (N, 64 h, 64 w, 64) -> code (N, 2h, 2w, code_width)."""

    width: int = 64
    code_width: int = 512
    blocks: int = 6
    padding: Padding = "reflect"
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, z: Array) -> Array:
        encoder = KernelEncoder(
            self.width, self.code_width, self.blocks, self.padding, name="encoder",
            dtype=self.dtype,
        )  # fmt: skip
        return encoder(z)
