"""The layers that the published networks share: NHWC, PyTorch's arithmetic.

Weights keep the meaning that they have in the original checkpoints: a convolution
is (kh, kw, in, out), a transposed convolution (kh, kw, out, in), the weights of the
convolution whose adjoint it is. Fresh weights are drawn as PyTorch draws them.
"""

from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.linen.dtypes import promote_dtype
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.convolution import convolve, convolve_transposed

Padding = Literal["zero", "reflect", "replicate"]
Norm = Literal["none", "instance"]
Initialiser = Callable[..., Array]

# U(-1/sqrt(fan in), 1/sqrt(fan in)), PyTorch's default for weights.
torch_uniform = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


def uniform_bias(fan_in: int) -> Initialiser:
    """U(-1/sqrt(fan in), 1/sqrt(fan in)), PyTorch's default for biases."""
    bound = fan_in**-0.5

    def draw(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return draw


def pad_sides(x: Array, pad: int, padding: Padding) -> Array:
    """x (N, H, W, C) with `pad` more pixels on each of its four sides."""
    if pad == 0:
        return x
    mode = {"zero": "constant", "reflect": "reflect", "replicate": "edge"}[padding]
    return jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode=mode)


def pad_to_multiple(
    images: Array, multiple: int, minimum: int = 0
) -> tuple[Array, tuple[int, int]]:
    """Images reflected at the bottom and right until each side is a multiple.

    Returns them and their own (height, width), for `crop`. Sides shorter than the
    padding are reflected again and again.
    """
    h, w = images.shape[1:3]
    down, right = (
        -(-max(side, minimum) // multiple) * multiple - side for side in (h, w)
    )
    if down or right:
        pads = ((0, 0), (0, down), (0, right), (0, 0))
        images = jnp.pad(images, pads, mode="reflect")
    return images, (h, w)


def crop(images: Array, size: tuple[int, int]) -> Array:
    """The top left (height, width) of the images."""
    return images[:, : size[0], : size[1]]


class Conv(nn.Module):
    """A square convolution, padded by (kernel - 1) // 2 on every side."""

    features: int
    kernel: int = 3
    stride: int = 1
    padding: Padding = "zero"
    use_bias: bool = True
    kernel_init: Initialiser = torch_uniform
    bias_init: Initialiser | None = None
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels, k = x.shape[-1], self.kernel
        w = self.param("kernel", self.kernel_init, (k, k, channels, self.features))
        bias = None
        if self.use_bias:
            draw = self.bias_init or uniform_bias(k * k * channels)
            bias = self.param("bias", draw, (self.features,))
        x, w, bias = promote_dtype(x, w, bias, dtype=self.dtype)
        pad = (k - 1) // 2
        if self.padding != "zero":
            x, pad = pad_sides(x, pad, self.padding), 0
        y = convolve(x, w, self.stride, pad)
        return y if bias is None else y + bias


class ConvTranspose(nn.Module):
    """The adjoint of a strided convolution, to `stride` times the size of x."""

    features: int
    kernel: int = 4
    stride: int = 2
    use_bias: bool = True
    kernel_init: Initialiser = torch_uniform
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels, k = x.shape[-1], self.kernel
        w = self.param("kernel", self.kernel_init, (k, k, self.features, channels))
        bias = None
        if self.use_bias:
            draw = uniform_bias(k * k * self.features)
            bias = self.param("bias", draw, (self.features,))
        x, w, bias = promote_dtype(x, w, bias, dtype=self.dtype)
        size = (x.shape[1] * self.stride, x.shape[2] * self.stride)
        y = convolve_transposed(x, w, self.stride, (k - 1) // 2, size)
        return y if bias is None else y + bias


def _mean(x: Array, axes: tuple[int, ...]) -> Array:
    # One axis after the other: a single long sum loses digits on CPU, and deep
    # priors, whose inner maps hold a few pixels, amplify what is lost.
    for axis in axes:
        x = x.mean(axis, keepdims=True)
    return x


def _normalise(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    # The statistics of bf16 activations are taken in f32.
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    centred = wide - _mean(wide, axes)
    variance = _mean(jnp.square(centred), axes)
    return (centred * jax.lax.rsqrt(variance + epsilon)).astype(x.dtype)


def instance_norm(x: Array, epsilon: float = 1e-5) -> Array:
    """Each channel of each image to zero mean and unit variance."""
    return _normalise(x, (2, 1), epsilon)


class LayerNorm(nn.Module):
    """The channels of each pixel to zero mean and unit variance, then an affine map."""

    epsilon: float = 1e-6

    @nn.compact
    def __call__(self, x: Array) -> Array:
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
        y = _normalise(x, (-1,), self.epsilon)
        return y * scale.astype(y.dtype) + bias.astype(y.dtype)


class BatchNorm(nn.Module):
    """Normalises by the statistics of the batch at hand, then an affine map.

    Nothing is remembered, so it may stand in the carry-free body of a loop. Only
    when the caller makes the collection "batch_stats" mutable are the running mean
    and (unbiased) variance moved by `momentum`, as PyTorch does.
    """

    scale_init: Initialiser = nn.initializers.ones
    epsilon: float = 1e-5
    momentum: float = 0.1

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (x.shape[-1],)
        scale = self.param("scale", self.scale_init, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        if self.is_mutable_collection("batch_stats"):
            mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
            variance = self.variable("batch_stats", "var", jnp.ones, shape)
            if not self.is_initializing():
                m = self.momentum
                batch_variance = x.var((0, 1, 2), ddof=1)
                mean.value = (1 - m) * mean.value + m * x.mean((0, 1, 2))
                variance.value = (1 - m) * variance.value + m * batch_variance
        y = _normalise(x, (2, 1, 0), self.epsilon)
        return y * scale.astype(y.dtype) + bias.astype(y.dtype)


def pixel_shuffle(x: Array, factor: int = 2) -> Array:
    """(N, H, W, C f^2) -> (N, fH, fW, C): channel c f^2 + f i + j lands at (i, j)."""
    n, h, w, c = x.shape
    x = x.reshape(n, h, w, c // factor**2, factor, factor)
    return x.transpose(0, 1, 4, 2, 5, 3).reshape(n, h * factor, w * factor, -1)


def upsample_bilinear(x: Array) -> Array:
    """Twice the size, half-pixel centres: 3/4 of the near pixel, 1/4 of the next.

    Written as shifted sums: `jax.image.resize` is four times slower on CPU.
    """
    for axis in (1, 2):
        edge = jnp.concatenate(
            [x.take(jnp.array([0]), axis), x, x.take(jnp.array([-1]), axis)], axis
        )
        n = x.shape[axis]
        before = jax.lax.slice_in_dim(edge, 0, n, axis=axis)
        after = jax.lax.slice_in_dim(edge, 2, n + 2, axis=axis)
        pair = jnp.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
        shape = list(x.shape)
        shape[axis] = 2 * n
        x = pair.reshape(shape)
    return x


def centre_crop(x: Array, size: tuple[int, int]) -> Array:
    """The central (height, width) of x (N, H, W, C)."""
    top, left = (x.shape[1] - size[0]) // 2, (x.shape[2] - size[1]) // 2
    return x[:, top : top + size[0], left : left + size[1]]


def smooth(x: Array, deviation: float) -> Array:
    """The Gaussian mean around each pixel of (N, H, W, C), of those that there are."""
    for axis in (1, 2):
        band = _band(x.shape[axis], deviation)
        x = jnp.moveaxis(band @ jnp.moveaxis(x, axis, -2), -2, axis)
    return x


def _band(size: int, deviation: float) -> np.ndarray:
    """The matrix of a Gaussian along `size` pixels, whose rows sum to 1."""
    places = np.arange(size)
    distance = np.square(places[:, None] - places)
    taps = np.exp(-distance / (2 * deviation**2))
    return (taps / taps.sum(1, keepdims=True)).astype(np.float32)


def max_pool(x: Array) -> Array:
    """The largest of every 2x2 pixels; an odd last row or column is left out."""
    h, w = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    x = x[:, :h, :w]
    x = jnp.maximum(x[:, ::2], x[:, 1::2])
    return jnp.maximum(x[:, :, ::2], x[:, :, 1::2])


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))) without norm, drawn small (EDSR)."""

    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        small = nn.initializers.variance_scaling(0.02, "fan_in", "normal")
        for_block = {
            "features": x.shape[-1],
            "kernel_init": small,
            "bias_init": nn.initializers.zeros,
            "dtype": self.dtype,
        }
        y = nn.relu(Conv(**for_block, name="conv1")(x))
        return x + Conv(**for_block, name="conv2")(y)


class ResnetBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))) with the chosen padding (Johnson et al.)."""

    padding: Padding = "reflect"
    norm: Norm = "none"
    use_bias: bool = True
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        norm = instance_norm if self.norm == "instance" else lambda y: y
        for_block = {
            "features": x.shape[-1],
            "padding": self.padding,
            "use_bias": self.use_bias,
            "dtype": self.dtype,
        }
        y = nn.relu(norm(Conv(**for_block, name="conv1")(x)))
        return x + norm(Conv(**for_block, name="conv2")(y))


class NonLocalBlock(nn.Module):
    """x + BN(W sum_j theta_i . phi_j / J g_j): every pixel sees every other one.

    Wang et al. 2018, dot-product form; phi and g are pooled 2x2. The norm starts at
    zero, so that a fresh block is the identity.
    """

    @nn.compact
    def __call__(self, x: Array) -> Array:
        n, h, w, c = x.shape
        inner = c // 2
        theta = Conv(inner, 1, name="theta")(x).reshape(n, h * w, inner)
        phi = max_pool(Conv(inner, 1, name="phi")(x)).reshape(n, -1, inner)
        g = max_pool(Conv(inner, 1, name="g")(x)).reshape(n, -1, inner)
        # (theta phi^T) g = theta (phi^T g): the small product first.
        y = theta @ (phi.swapaxes(1, 2) @ g) / phi.shape[1]
        y = Conv(c, 1, name="out")(y.reshape(n, h, w, inner))
        return x + BatchNorm(scale_init=nn.initializers.zeros, name="norm")(y)
