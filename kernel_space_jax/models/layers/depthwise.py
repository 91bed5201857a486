"""Depthwise convolution: each channel by itself, with a kernel of its own.

    y_p = sum_a w_a . x_{p+a}
    dx_p = sum_a w_a . g_{p-a},    dw_a = sum_p x_{p+a} . g_p

XLA on CPU runs a grouped convolution of one channel a group twenty times slower than
these sums of shifted images, which it fuses with what surrounds them. There `depthwise`
writes them out, its gradients too; on GPU and TPU it is one grouped convolution.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from flax.typing import Dtype
from jax import Array, lax

from kernel_space_jax.backend import platform
from kernel_space_jax.models.layers.conv import torch_uniform, uniform_bias
from kernel_space_jax.models.layers.convolution import LAYOUT


class DepthwiseConv(nn.Module):
    """A square convolution of each channel, padded by (kernel - 1) // 2 zeros."""

    kernel: int = 3
    stride: int = 1
    use_bias: bool = True
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels, k = x.shape[-1], self.kernel
        w = self.param("kernel", torch_uniform, (k, k, 1, channels))
        bias = None
        if self.use_bias:
            bias = self.param("bias", uniform_bias(k * k), (channels,))
        x, w, bias = promote_dtype(x, w, bias, dtype=self.dtype)
        y = depthwise(x, w, self.stride)
        return y if bias is None else y + bias


def depthwise(x: Array, w: Array, stride: int = 1) -> Array:
    """w * x for each channel: (N, H, W, C), (k, k, 1, C) -> (N, H, W, C), k odd.

    With a stride only every so many rows and columns of it, from the first on.
    """
    if platform() == "cpu":
        # XLA fuses the two, and computes only the pixels that are kept.
        return _shifted(x, w)[:, ::stride, ::stride]
    pad = (w.shape[0] - 1) // 2
    return lax.conv_general_dilated(
        x, w, (stride, stride), ((pad, pad), (pad, pad)),
        dimension_numbers=LAYOUT, feature_group_count=x.shape[-1],
    )  # fmt: skip


def _padded(x: Array, k: int) -> Array:
    """x with the zeros around it that a k x k kernel sees."""
    pad = (k - 1) // 2
    return jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))


def _sum(x: Array, w: Array) -> Array:
    """sum_a w_a . x_{p+a} at each pixel p."""
    (height, width), k = x.shape[1:3], w.shape[0]
    x = _padded(x, k)
    total = w[0, 0, 0] * x[:, :height, :width]
    for tap in range(1, k * k):
        a, b = divmod(tap, k)
        total = total + w[a, b, 0] * x[:, a : a + height, b : b + width]
    return total


def _weight_gradient(x: Array, g: Array, k: int) -> Array:
    """sum_p x_{p+a} . g_p for each of the k x k taps a: (k, k, 1, C)."""
    n, height, width, channels = g.shape
    x = _padded(x, k)

    # Row after row: XLA would write each of the k x k shifted images to memory.
    def add(sums: list[Array], row: Array) -> tuple[list[Array], None]:
        band = lax.dynamic_slice_in_dim(x, row, k, 1)
        cotangent = lax.dynamic_index_in_dim(g, row, 1, keepdims=False)
        shifted = [band[:, a, b : b + width] for a in range(k) for b in range(k)]
        return [
            total + (seen * cotangent).astype(total.dtype)
            for total, seen in zip(sums, shifted, strict=True)
        ], None

    zeros = jnp.zeros((n, width, channels), jnp.promote_types(g.dtype, jnp.float32))
    sums, _ = lax.scan(add, [zeros] * (k * k), jnp.arange(height))
    dw = jnp.stack([jnp.sum(total, (0, 1)) for total in sums])
    return dw.astype(g.dtype).reshape(k, k, 1, channels)


@jax.custom_vjp
def _shifted(x: Array, w: Array) -> Array:
    return _sum(x, w)


def _forward(x: Array, w: Array) -> tuple[Array, tuple[Array, Array]]:
    return _sum(x, w), (x, w)


def _backward(saved: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
    x, w = saved
    return _sum(g, jnp.flip(w, (0, 1))), _weight_gradient(x, g, w.shape[0])


_shifted.defvjp(_forward, _backward)
