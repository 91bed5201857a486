"""StyleGAN2 (Karras et al., CVPR 2020).

    w = map(z)                            z normalised, then linear layers
    h_1 = conv(constant), h = conv(conv_up(h)), ...    modulated: conv(h; w_l)
    x = sum over sizes of up(to_rgb(h; w_l))

A modulated convolution scales the weights W[i, o] of its input i by s_i(w), and divides
each output o by the norm of what it is then. The same with one W for all images is

    y_o = d_o (W * (s h))_o,    d_o = (sum_i s_i^2 |W[i, o]|^2 + 1e-8)^(-1/2)
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.models.generators.equalised import (
    EPSILON,
    MAPPING_RATE,
    SLOPE,
    Growing,
    Linear,
    Noise,
    normalised,
    unit,
)
from kernel_space_jax.models.generators.resampling import smooth, upsample
from kernel_space_jax.models.layers.convolution import convolve, convolve_transposed

GAIN = 2**0.5


def activated(x: Array) -> Array:
    """sqrt(2) leaky_relu(x): the variance stays."""
    return GAIN * nn.leaky_relu(x, SLOPE)


class Modulated(nn.Module):
    """A convolution modulated by a style w (N, S); to twice the size with `up`."""

    features: int
    kernel: int = 3
    up: bool = False
    normalised: bool = True

    @nn.compact
    def __call__(self, x: Array, w: Array) -> Array:
        channels, k = x.shape[-1], self.kernel
        weight = self.param("kernel", unit, (k, k, channels, self.features))
        weight = weight * (k * k * channels) ** -0.5
        style = Linear(channels, bias=1.0, name="modulation")(w)
        x = x * style[:, None, None]
        if self.up:
            size = (2 * x.shape[1] + 1, 2 * x.shape[2] + 1)
            x = smooth(convolve_transposed(x, weight.swapaxes(2, 3), 2, 0, size))
        else:
            x = convolve(x, weight, 1, k // 2)
        if not self.normalised:
            return x
        power = jnp.square(style) @ jnp.sum(jnp.square(weight), (0, 1))
        return x * jax.lax.rsqrt(power + EPSILON)[:, None, None]


class Bias(nn.Module):
    """x + b."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return x + self.param("bias", nn.initializers.zeros, (x.shape[-1],))


class Styled(nn.Module):
    """A modulated convolution, noise, and the activation."""

    features: int
    up: bool = False

    @nn.compact
    def __call__(self, x: Array, w: Array, n: Array) -> Array:
        x = Modulated(self.features, up=self.up, name="conv")(x, w)
        x = Noise(name="noise")(x, n)
        return activated(Bias(name="activate")(x))


class ToRGB(nn.Module):
    """Colours of one size, on those of the size before (N, H/2, W/2, 3) or None."""

    @nn.compact
    def __call__(self, x: Array, w: Array, before: Array | None) -> Array:
        rgb = Modulated(3, 1, normalised=False, name="conv")(x, w)
        rgb = rgb + self.param("bias", nn.initializers.zeros, (3,))
        return rgb if before is None else rgb + upsample(before)


class StyleGAN2(Growing):
    """Styles (N, L, S), a map of noise a convolution -> (N, R, R, 3), about [-1, 1]."""

    widths: tuple[int, ...] = (512, 512, 512, 512, 512, 256, 128)

    def noise_shapes(self) -> list[tuple[int, int, int, int]]:
        """Of each map: one of 4x4, then two of each size."""
        sides = [4, *(4 * 2**i for i in range(1, len(self.widths)) for _ in range(2))]
        return [(1, side, side, 1) for side in sides]

    def setup(self) -> None:
        self.style_layers = [
            Linear(self.style, MAPPING_RATE, name=f"style{i}")
            for i in range(1, self.mapping + 1)
        ]
        first, *others = self.widths
        self.constant = self.param("input", unit, (4, 4, first))
        self.conv1 = Styled(first)
        self.to_rgb1 = ToRGB()
        self.convs = [Styled(width, up=up) for width in others for up in (True, False)]
        self.to_rgbs = [ToRGB() for _ in others]

    def __call__(self, w: Array, *noise: Array) -> Array:
        if self.is_initializing():
            self.mapped(w[:, 0])
        x = jnp.broadcast_to(self.constant, (w.shape[0], *self.constant.shape))
        x = self.conv1(x, w[:, 0], noise[0])
        rgb = self.to_rgb1(x, w[:, 1], None)
        for i, to_rgb in enumerate(self.to_rgbs):
            x = self.convs[2 * i](x, w[:, 2 * i + 1], noise[2 * i + 1])
            x = self.convs[2 * i + 1](x, w[:, 2 * i + 2], noise[2 * i + 2])
            rgb = to_rgb(x, w[:, 2 * i + 3], rgb)
        return rgb

    def mapped(self, z: Array) -> Array:
        z = normalised(z)
        for layer in self.style_layers:
            z = activated(layer(z))
        return z
