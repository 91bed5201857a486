"""Convolution layers, padded and drawn as PyTorch's are.

Weights keep the meaning that they have in the original checkpoints: a convolution
is (kh, kw, in, out), a transposed convolution (kh, kw, out, in), the weights of the
convolution whose adjoint it is.
"""

from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.layers.convolution import convolve, convolve_transposed
from kernel_space_jax.models.layers.pairs import convolve_pairs
from kernel_space_jax.models.layers.shape import Padding, pad_same, pad_sides

Initialiser = Callable[..., Array]

# U(-1/sqrt(fan in), 1/sqrt(fan in)), PyTorch's default for weights.
torch_uniform = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
# He et al. 2015: with a ReLU between them layers keep the size of what they are given.
# PyTorch's keep 0.4 of it, so the deepest of many layers get almost no signal.
he_uniform = nn.initializers.variance_scaling(2.0, "fan_in", "uniform")


def uniform_bias(fan_in: int) -> Initialiser:
    """U(-1/sqrt(fan in), 1/sqrt(fan in)), PyTorch's default for biases."""
    bound = fan_in**-0.5

    def draw(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return draw


class Conv(nn.Module):
    """A square convolution, padded on every side by `pad` or by (kernel - 1) // 2.

    With the padding "same" it is padded as TensorFlow's, which differs under a stride.
    `pairs` takes x in pairs of columns: 3x3, padded by one zero. `order` changes that
    of the features: it is applied to the last axis of weights and bias.
    """

    features: int
    kernel: int = 3
    stride: int = 1
    padding: Padding | Literal["same"] = "zero"
    use_bias: bool = True
    kernel_init: Initialiser = torch_uniform
    bias_init: Initialiser | None = None
    dtype: Dtype | None = None
    pad: int | None = None
    pairs: bool = False
    order: Callable[[Array], Array] | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels, k = x.shape[-1] // (2 if self.pairs else 1), self.kernel
        w = self.weights((k, k, channels, self.features))
        bias = None
        if self.use_bias:
            draw = self.bias_init or uniform_bias(k * k * channels)
            bias = self.param("bias", draw, (self.features,))
        if self.order:
            w, bias = jax.tree.map(self.order, (w, bias))
        x, w, bias = promote_dtype(x, w, bias, dtype=self.dtype)
        pad = (k - 1) // 2 if self.pad is None else self.pad
        if self.padding == "same":
            x, pad = pad_same(x, k, self.stride), 0
        elif self.padding != "zero":
            x, pad = pad_sides(x, pad, self.padding), 0
        if self.pairs:
            y = convolve_pairs(x, w, self.stride)
            bias = bias if bias is None else jnp.tile(bias, y.shape[-1] // bias.size)
        else:
            y = convolve(x, w, self.stride, pad)
        return y if bias is None else y + bias

    def weights(self, shape: tuple[int, ...]) -> Array:
        """w (kh, kw, in, out), the parameter "kernel"."""
        return self.param("kernel", self.kernel_init, shape)


class Point(nn.Module):
    """A 1x1 convolution with the affine map before it and the factor behind it.

        y = ((x s + b) w + c) g = x (s w g) + (b w + c) g

    What would pass over all pixels, and sum over them for its gradients, passes over
    the weights.
    """

    features: int
    dtype: Dtype | None = None

    @nn.compact
    def __call__(
        self,
        x: Array,
        before: tuple[Array, Array] | None = None,
        gain: Array | None = None,
    ) -> Array:
        """`before` is (s, b), each (in,); `gain` is g, (out,)."""
        channels = x.shape[-1]
        w = self.param("kernel", torch_uniform, (1, 1, channels, self.features))
        c = self.param("bias", uniform_bias(channels), (self.features,))
        w = w[0, 0]
        if before:
            scale, bias = before
            c, w = bias @ w + c, scale[:, None] * w
        if gain is not None:
            w, c = w * gain, c * gain
        x, w, c = promote_dtype(x, w, c, dtype=self.dtype)
        return convolve(x, w[None, None], 1, 0) + c


class ConvTranspose(nn.Module):
    """The adjoint of a strided convolution, to `stride` times the size of x."""

    features: int
    kernel: int = 4
    stride: int = 2
    use_bias: bool = True
    kernel_init: Initialiser = torch_uniform
    bias_init: Initialiser | None = None
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels, k = x.shape[-1], self.kernel
        w = self.param("kernel", self.kernel_init, (k, k, self.features, channels))
        bias = None
        if self.use_bias:
            draw = self.bias_init or uniform_bias(k * k * self.features)
            bias = self.param("bias", draw, (self.features,))
        x, w, bias = promote_dtype(x, w, bias, dtype=self.dtype)
        size = (x.shape[1] * self.stride, x.shape[2] * self.stride)
        y = convolve_transposed(x, w, self.stride, (k - 1) // 2, size)
        return y if bias is None else y + bias
