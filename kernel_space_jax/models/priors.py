"""The untrained networks of the blind search (deep image priors).

    x = ImagePrior(z_x)          Ulyanov et al. 2018, with non-local blocks
    k = KernelPrior(z_k)         a code: Tran et al. 2021
    h = PixelKernelPrior(z_h)    a kernel in pixels: Ren et al. 2020

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
    torch_uniform,
    uniform_bias,
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

    Norms use the statistics of the current batch. The published training file has
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


class PixelKernelPrior(nn.Module):
    """Noise (n,) -> pixel kernel (size, size): h >= 0, sum h = 1 (SelfDeblur).

    softmax(W_2 relu6(W_1 z + b_1) + b_2): Ren et al. 2020.
    """

    size: int
    hidden: int = 1000

    @nn.compact
    def __call__(self, z: Array) -> Array:
        hidden = nn.relu6(self._linear(self.hidden, z.size, "hidden")(z))
        logits = self._linear(self.size**2, self.hidden, "taps")(hidden)
        return nn.softmax(logits).reshape(self.size, self.size)

    def _linear(self, features: int, inputs: int, name: str) -> nn.Dense:
        bias = uniform_bias(inputs)
        return nn.Dense(features, kernel_init=torch_uniform, bias_init=bias, name=name)
