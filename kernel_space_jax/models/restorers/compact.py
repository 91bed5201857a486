"""A small restorer, x = y + U-Net(y): of the mender, and where any restorer will do.

Images are (N, H, W, 3) in [0, 1], of any size; the answer is not clipped. It is no
published network: EDSR's residual blocks at every scale, skips that are added. Scale i
has width 2^i channels and 1 / 2^(i + 1) of the image's sides; the image's own
resolution, where convolutions cost most, is left to a pixel shuffle.
"""

import flax.linen as nn
import jax.numpy as jnp
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.layers import (
    Conv,
    ConvTranspose,
    ResidualBlock,
    crop,
    he_uniform,
    pad_to_multiple,
    pixel_shuffle,
)

SLOPE = 0.2
# Adam moves every weight of the last layer as far as any other; this keeps its first
# steps from throwing the whole image off.
RESIDUAL = 0.1


class Compact(nn.Module):
    """Blurry y (N, H, W, 3) to sharp x of the same size, in one pass."""

    width: int = 32
    scales: int = 3
    blocks: int = 2
    dtype: Dtype | None = None

    @nn.compact
    def __call__(
        self, y: Array, guide: Array | None = None, changes: Array | None = None
    ) -> Array:
        """`guide` (N, H, W, G) is whatever else is known of each pixel.

        What others would change in each colour of y, `changes` (N, H, W, K), reaches
        the result at full resolution, with weights that the U-Net computes:
        x = y + U + sum_j g_j c_j.
        """
        padded, size = pad_to_multiple(y, 2**self.scales)
        features, skips = padded - 0.5, []
        if guide is not None:
            told, _ = pad_to_multiple(guide, 2**self.scales)
            features = jnp.concatenate([features, told], -1)
        for scale in range(self.scales):
            if scale:
                skips.append(features)
            down = Conv(
                self.width * 2**scale, 4, 2, kernel_init=he_uniform,
                dtype=self.dtype, name=f"down{scale}",
            )  # fmt: skip
            features = self._residual(
                nn.leaky_relu(down(features), SLOPE), f"encode{scale}"
            )
        for scale in reversed(range(self.scales - 1)):
            up = ConvTranspose(
                self.width * 2**scale, kernel_init=he_uniform,
                dtype=self.dtype, name=f"up{scale}",
            )  # fmt: skip
            features = nn.leaky_relu(up(features) + skips.pop(), SLOPE)
            features = self._residual(features, f"decode{scale}")
        # Of zeros, so that a fresh network answers its input.
        outputs = 3 + (0 if changes is None else changes.shape[-1])
        last = Conv(
            4 * outputs, kernel_init=nn.initializers.zeros, dtype=self.dtype,
            bias_init=nn.initializers.zeros, name="last",
        )  # fmt: skip
        answer = crop(pixel_shuffle(last(features)).astype(y.dtype), size)
        x = y + RESIDUAL * answer[..., :3]
        if changes is None:
            return x
        return x + jnp.sum(answer[..., 3:] * changes, -1, keepdims=True)

    def _residual(self, features: Array, name: str) -> Array:
        for index in range(self.blocks):
            block = ResidualBlock(dtype=self.dtype, name=f"{name}_block{index}")
            features = block(features)
        return features
