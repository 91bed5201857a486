"""The two-headed network of Carbajal et al. 2021: per-pixel blur in one pass.

"Non-uniform Blur Kernel Estimation via Adaptive Basis Decomposition": one encoder,
and two decoders that compute from a photo y (N, H, W, 1 or 3) in [0, 1]

    kernels h (N, B, s, s)    B kernels of s = 2^n + 1 pixels, each with sum 1
    masks   m (N, H, W, B)    how every pixel mixes them, with sum 1

so that y = sum_b m_b . (h_b * x) in linear light. The published program correlates
where this package convolves: its kernels are ours turned by half a turn.
"""

import flax.linen as nn
import jax.numpy as jnp
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.layers import (
    Conv,
    ConvTranspose,
    crop,
    max_pool,
    pad_to_multiple,
)
from kernel_space_jax.operators.light import even_contrast

SLOPE = 0.01
# Each of five scales halves the image.
FEWEST_PIXELS = 32


def _average(x: Array) -> Array:
    """Over the whole image: (N, H, W, C) -> (N, 1, 1, C)."""
    return jnp.mean(x, (1, 2), keepdims=True)


class DoubleConv(nn.Module):
    """Two 3x3 convolutions, each before a LeakyReLU."""

    features: int
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for index in range(2):
            conv = Conv(self.features, dtype=self.dtype, name=f"conv{index}")
            x = nn.leaky_relu(conv(x), SLOPE)
        return x


class Up(nn.Module):
    """Twice the size, two convolutions, and the encoder's features of that size.

    `skip` is a map as large as the answer shall be, (N, H, W, C); or, for kernels,
    one vector that every pixel is given, (N, 1, 1, C); or nothing.
    """

    features: int
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array, skip: Array | None = None) -> Array:
        up = ConvTranspose(x.shape[-1], 2, 2, dtype=self.dtype, name="up")
        x = DoubleConv(self.features, dtype=self.dtype, name="convs")(up(x))
        if skip is not None:
            if skip.shape[1:3] == (1, 1):
                skip = jnp.broadcast_to(skip, (*x.shape[:3], skip.shape[-1]))
            # Pooling dropped an odd last row or column: zeros take its place.
            h, w = (a - b for a, b in zip(skip.shape[1:3], x.shape[1:3], strict=True))
            sides = ((0, 0), (h // 2, h - h // 2), (w // 2, w - w // 2), (0, 0))
            x = jnp.concatenate([skip, jnp.pad(x, sides)], -1)
        x = Conv(self.features, dtype=self.dtype, name="mix")(x)
        return nn.leaky_relu(x, SLOPE)


class End(nn.Module):
    """Three convolutions to one map a kernel; of the first, `kernel` is the side."""

    width: int
    basis: int
    kernel: int = 3
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        if self.kernel == 2:
            # One pixel more: kernels are to have a middle.
            x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        x = Conv(self.width, self.kernel, dtype=self.dtype, name="conv0")(x)
        x = Conv(self.width, dtype=self.dtype, name="conv1")(nn.leaky_relu(x, SLOPE))
        x = nn.leaky_relu(x, SLOPE)
        x = Conv(self.basis, dtype=self.dtype, name="conv2")(x)
        return x.astype(jnp.promote_types(x.dtype, jnp.float32))


class TwoHeads(nn.Module):
    """y (N, H, W, 1 or 3) -> kernels (N, basis, s, s) and masks (N, H, W, basis).

    s = 2^kernel_scales + 1: 33 as published, 65 with one scale more. `even` is not of
    the paper: the network is shown `even_contrast` of the light, not light - 1/2.
    """

    width: int = 64
    basis: int = 25
    kernel_scales: int = 5
    gamma: float = 2.2
    even: bool = False
    dtype: Dtype | None = None

    @nn.compact
    def __call__(
        self, y: Array, *, summary: bool = False
    ) -> tuple[Array, Array] | Array:
        """With `summary`: the encoder's averages at all scales, (N, 47 width)."""
        size = (y.shape[1], y.shape[2])
        y, _ = pad_to_multiple(y, 1, FEWEST_PIXELS)
        light = jnp.power(jnp.maximum(y, 0), self.gamma)
        light = even_contrast(light) if self.even else light - 0.5
        colour = Conv(self.width, dtype=self.dtype, name="colour")
        grey = Conv(self.width, dtype=self.dtype, name="grey")
        x = (grey if y.shape[-1] == 1 else colour)(light)
        if self.is_initializing():
            # Both get parameters, for grey and colour images alike.
            colour(jnp.zeros((1, 1, 1, 3)))
            grey(jnp.zeros((1, 1, 1, 1)))
        x = nn.leaky_relu(x, SLOPE)

        skips = []
        for scale, factor in enumerate((1, 2, 4, 8, 16)):
            features = self.width * factor
            x = DoubleConv(features, dtype=self.dtype, name=f"down{scale}")(x)
            skips.append(x)
            x = max_pool(x)
        x = Conv(16 * self.width, dtype=self.dtype, name="deepest")(x)
        x = nn.leaky_relu(x, SLOPE)
        if summary:
            averages = [_average(each) for each in (*skips, x)]
            return jnp.concatenate(averages, -1)[:, 0, 0]
        return self._kernels(x, skips), crop(self._masks(x, skips), size)

    def _masks(self, x: Array, skips: list[Array]) -> Array:
        for scale, factor in enumerate((8, 4, 2, 1, 1)):
            up = Up(self.width * factor, dtype=self.dtype, name=f"mask_up{scale}")
            x = up(x, skips[-1 - scale])
        x = End(self.width, self.basis, dtype=self.dtype, name="masks")(x)
        return nn.softmax(x, -1)

    def _kernels(self, x: Array, skips: list[Array]) -> Array:
        # A kernel has no place in the image, so its inputs are means over the image.
        x = _average(x)
        for scale in range(self.kernel_scales):
            factor = (8, 4, 4, 2, 1)[min(scale, 4)]
            up = Up(self.width * factor, dtype=self.dtype, name=f"kernel_up{scale}")
            whole = None
            if scale < len(skips):
                whole = _average(skips[-1 - scale])
            x = up(x, whole)
        x = End(self.width, self.basis, 2, dtype=self.dtype, name="kernels")(x)
        n, side = x.shape[0], x.shape[1]
        h = nn.softmax(x.reshape(n, side * side, self.basis), 1)
        h = jnp.moveaxis(h.reshape(n, side, side, self.basis), -1, 1)
        return jnp.flip(h, (-2, -1))
