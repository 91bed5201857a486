"""Learned perceptual image patch similarity (Zhang et al. 2018), version 0.1.

    d(x, y) = sum_l mean_p w_l . (phi_l(x)[p] - phi_l(y)[p])^2

phi_l: the activations of AlexNet or VGG16 after five of their convolutions, each pixel
divided by its length; w_l >= 0: learned weights of their channels.
"""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.layers import (
    Conv,
    max_pool,
    torch_uniform,
    uniform_bias,
)
from kernel_space_jax.models.layers.convolution import convolve

Backbone = Literal["alex", "vgg"]

# The published mean and spread of the backbones' input in [-1, 1].
MEAN = (-0.030, -0.088, -0.188)
SPREAD = (0.458, 0.448, 0.450)

ALEX_WIDTHS = (64, 192, 384, 256, 256)
# Width and convolutions of each stage of VGG16; the last of each is compared.
VGG_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


class LPIPS(nn.Module):
    """Two (N, H, W, 3) in [0, 1] -> distances (N,)."""

    backbone: Backbone = "alex"
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array, y: Array) -> Array:
        both = 2 * jnp.concatenate([x, y]) - 1
        both = (both - jnp.array(MEAN)) / jnp.array(SPREAD)
        distance = jnp.zeros(x.shape[0])
        features = self._alex(both) if self.backbone == "alex" else self._vgg(both)
        for layer, seen in enumerate(features):
            length = jnp.sqrt(jnp.sum(seen**2, axis=-1, keepdims=True))
            # What is added keeps pixels without any activation from dividing by zero.
            first, second = jnp.split(seen / (length + 1e-10), 2)
            head = Conv(1, kernel=1, use_bias=False, name=f"lin{layer}")
            distance += jnp.mean(head((first - second) ** 2), axis=(1, 2, 3))
        return distance

    def _alex(self, x: Array) -> list[Array]:
        seen = []
        for layer, width in enumerate(ALEX_WIDTHS):
            if layer == 0:
                x = _First(width, dtype=self.dtype, name="conv0")(x)
            else:
                if layer < 3:
                    x = nn.max_pool(x, (3, 3), (2, 2))
                kernel = 5 if layer == 1 else 3
                name = f"conv{layer}"
                x = Conv(width, kernel, dtype=self.dtype, name=name)(x)
            x = nn.relu(x)
            seen.append(x)
        return seen

    def _vgg(self, x: Array) -> list[Array]:
        seen = []
        for stage, (width, convolutions) in enumerate(VGG_STAGES):
            if stage > 0:
                x = max_pool(x)
            for index in range(convolutions):
                name = f"conv{stage}_{index}"
                x = nn.relu(Conv(width, dtype=self.dtype, name=name)(x))
            seen.append(x)
        return seen


class _First(nn.Module):
    """AlexNet's first layer: 11 x 11, stride 4, padded by 2 rather than 5."""

    features: int
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (11, 11, x.shape[-1], self.features)
        w = self.param("kernel", torch_uniform, shape)
        bias = self.param("bias", uniform_bias(11 * 11 * shape[2]), (self.features,))
        x, w, bias = promote_dtype(x, w, bias, dtype=self.dtype)
        return convolve(x, w, 4, 2) + bias
