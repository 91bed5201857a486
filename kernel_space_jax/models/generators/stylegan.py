"""StyleGAN, the first (Karras et al., CVPR 2019).

    w = map(z)                              z normalised, then linear layers
    h = styled(constant), styled(conv(h))   at 4x4
    h = styled(conv_up(h)), styled(conv(h)) at 8x8, 16x16, ...
    x = to_rgb(h)                           of the last size only

    styled(h) = norm(leaky(h + weight n)) (s + 1) + t,    (s, t) = A w

`norm` is of each channel of each image. `conv_up` doubles the size and smooths by
[1, 2, 1] / 4; from 128 pixels on its convolution is a transposed one.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.models.generators.equalised import (
    MAPPING_RATE,
    SLOPE,
    Growing,
    Linear,
    Noise,
    normalised,
    unit,
)
from kernel_space_jax.models.generators.resampling import smooth
from kernel_space_jax.models.layers.convolution import convolve, convolve_transposed
from kernel_space_jax.models.layers.norms import instance_norm

GAIN = 2**0.5
SMOOTHED = (0.25, 0.5, 0.25)
# Pixels a side from which a convolution to twice the size is a transposed one.
TRANSPOSED = 128


def doubled(x: Array) -> Array:
    """(N, H, W, C) -> (N, 2H, 2W, C): every pixel four times."""
    return jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)


class Convolution(nn.Module):
    """A convolution with equalised rates; to twice the size with `up`."""

    features: int
    kernel: int = 3
    gain: float = GAIN
    up: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        k, channels = self.kernel, x.shape[-1]
        weight = self.param("kernel", unit, (k, k, channels, self.features))
        weight = weight * (self.gain * (k * k * channels) ** -0.5)
        if not self.up:
            x = convolve(x, weight, 1, k // 2)
        elif 2 * x.shape[1] < TRANSPOSED:
            x = smooth(convolve(doubled(x), weight, 1, k // 2), SMOOTHED)
        else:
            # Each input pixel adds to 4x4: the kernel, spread over 2x2.
            sides = ((0, 1), (1, 0))
            spread = jnp.zeros(())
            for rows in sides:
                for columns in sides:
                    spread += jnp.pad(weight, (rows, columns, (0, 0), (0, 0)))
            size = (2 * x.shape[1], 2 * x.shape[2])
            larger = convolve_transposed(x, spread.swapaxes(2, 3), 2, 1, size)
            x = smooth(larger, SMOOTHED)
        return x + self.param("bias", nn.initializers.zeros, (self.features,))


class Styled(nn.Module):
    """Noise, activation, norm, and the style's scale and shift."""

    @nn.compact
    def __call__(self, x: Array, w: Array, n: Array) -> Array:
        x = nn.leaky_relu(Noise(each=True, name="noise")(x, n), SLOPE)
        style = Linear(2 * x.shape[-1], name="style")(w)[:, None, None]
        scale, shift = jnp.split(style, 2, -1)
        return instance_norm(x) * (scale + 1) + shift


class StyleGAN(Growing):
    """Styles (N, L, S), a map of noise a style -> (N, R, R, 3), about [-1, 1]."""

    widths: tuple[int, ...] = (512, 512, 512, 512, 256, 128, 64, 32, 16)

    def noise_shapes(self) -> list[tuple[int, int, int, int]]:
        """Of each map: two of each size."""
        sides = [4 * 2**i for i in range(len(self.widths)) for _ in range(2)]
        return [(1, side, side, 1) for side in sides]

    def setup(self) -> None:
        self.dense = [
            Linear(self.style, MAPPING_RATE, gain=GAIN) for _ in range(self.mapping)
        ]
        first, *others = self.widths
        self.constant = self.param("const", nn.initializers.ones, (4, 4, first))
        self.bias = self.param("bias", nn.initializers.ones, (first,))
        self.conv = Convolution(first)
        self.ups = [Convolution(width, up=True) for width in others]
        self.convs = [Convolution(width) for width in others]
        self.styled = [Styled() for _ in range(self.latents[0])]
        self.to_rgb = Convolution(3, 1, gain=1.0)

    def __call__(self, w: Array, *noise: Array) -> Array:
        if self.is_initializing():
            self.mapped(w[:, 0])
        x = jnp.broadcast_to(self.constant, (w.shape[0], *self.constant.shape))
        x = self.styled[0](x + self.bias, w[:, 0], noise[0])
        x = self.styled[1](self.conv(x), w[:, 1], noise[1])
        for i, (up, conv) in enumerate(zip(self.ups, self.convs, strict=True), 1):
            x = self.styled[2 * i](up(x), w[:, 2 * i], noise[2 * i])
            x = self.styled[2 * i + 1](conv(x), w[:, 2 * i + 1], noise[2 * i + 1])
        return self.to_rgb(x)

    def mapped(self, z: Array) -> Array:
        z = normalised(z)
        for layer in self.dense:
            z = nn.leaky_relu(layer(z), SLOPE)
        return z
