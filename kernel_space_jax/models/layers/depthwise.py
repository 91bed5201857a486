"""Depthwise convolution: each channel by itself, with a kernel of its own."""

import flax.linen as nn
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
    """w * x for each channel: (N, H, W, C), (k, k, 1, C) -> (N, H, W, C)."""
    pad = (w.shape[0] - 1) // 2
    return lax.conv_general_dilated(
        x, w, (1, 1), ((pad, pad), (pad, pad)),
        dimension_numbers=LAYOUT, feature_group_count=x.shape[-1],
    )  # fmt: skip
