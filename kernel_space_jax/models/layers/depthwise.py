"""Depthwise convolution: each channel by itself, with a kernel of its own.

    y_p = sum_a w_a . x_{p+a}       dx_p = sum_a w_a . g_{p-a}       dw_a = sum_p x_{p+a} . g_p

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

from kernel_space_jax.models.layers.conv import torch_uniform, uniform_bias
from kernel_space_jax.models.layers.convolution import LAYOUT


class DepthwiseConv(nn.Module):
    """A square convolution of each channel, zero padded to the same size."""

    kernel: int = 3
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
        y = depthwise(x, w)
        return y if bias is None else y + bias


def depthwise(x: Array, w: Array) -> Array:
    """w * x for each channel: (N, H, W, C), (k, k, 1, C) -> (N, H, W, C), k odd."""
    if jax.default_backend() == "cpu":
        return _shifted(x, w)
    pad = (w.shape[0] - 1) // 2
    return lax.conv_general_dilated(
        x, w, (1, 1), ((pad, pad), (pad, pad)),
        dimension_numbers=LAYOUT, feature_group_count=x.shape[-1],
    )  # fmt: skip


def _shifts(x: Array, k: int) -> list[Array]:
    """x seen by each tap of a k x k kernel, zeros outside."""
    height, width = x.shape[1:3]
    pad = (k - 1) // 2
    x = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    return [x[:, a : a + height, b : b + width] for a in range(k) for b in range(k)]


def _sum(x: Array, w: Array) -> Array:
    k = w.shape[0]
    taps = w.reshape(k * k, -1)
    total = taps[0] * 0
    terms = [tap * seen for tap, seen in zip(taps, _shifts(x, k), strict=True)]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


@jax.custom_vjp
def _shifted(x: Array, w: Array) -> Array:
    return _sum(x, w)


def _forward(x: Array, w: Array):
    return _sum(x, w), (x, w)


def _backward(saved: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
    x, w = saved
    k = w.shape[0]
    dw = jnp.stack([jnp.sum(seen * g, (0, 1, 2)) for seen in _shifts(x, k)])
    return _sum(g, jnp.flip(w, (0, 1))), dw.reshape(w.shape)


_shifted.defvjp(_forward, _backward)
