"""NAFNet: a restorer without activation functions (Chen et al., ECCV 2022).

    u = gate(D(W1 norm(x))),    x <- x + beta  . W3(u . Ws mean(u))
    u = gate(W4 norm(x)),       x <- x + gamma . W5 u,      gate(u, v) = u . v

in a U-Net whose answer is added to y. D is a depthwise 3x3 convolution, all W are 1x1;
beta and gamma start at zero, so a fresh network answers conv(conv(y)) + y.

A network trained on crops sees at each pixel the mean over a crop; over a whole photo
the mean is another one. With `train_size` n each mean is taken over a window of 1.5 n
pixels of the photo around the pixel, or over all of a smaller photo (TLC, Chu et al.,
ECCV 2022, as the authors score GoPro).
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.models.layers import (
    Conv,
    DepthwiseConv,
    LayerNorm,
    Point,
    around,
    chain,
    crop,
    pixel_shuffle,
    window_mean,
)

# Pixels of the window over those of a training crop.
WINDOW = 1.5


class NAFBlock(nn.Module):
    """One block at one scale; `window` in pixels of that scale, 0 for all of them."""

    window: int = 0
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = x.shape[-1]
        point = lambda features, name: Point(features, self.dtype, name=name)
        norm = lambda name: LayerNorm(split=True, name=name)
        beta = self.param("beta", nn.initializers.zeros, (width,))
        gamma = self.param("gamma", nn.initializers.zeros, (width,))

        u = point(2 * width, "conv1")(*norm("norm1")(x))
        u = gate(DepthwiseConv(dtype=self.dtype, name="conv2")(u))
        attention = point(width, "attention")(window_mean(u, self.window))
        u = u * around(attention, (u.shape[1], u.shape[2]))
        x = x + point(width, "conv3")(u, gain=beta)
        u = gate(point(2 * width, "conv4")(*norm("norm2")(x)))
        return x + point(width, "conv5")(u, gain=gamma)


def gate(x: Array) -> Array:
    """The product of the two halves of the channels."""
    u, v = jnp.split(x, 2, -1)
    return u * v


class NAFNet(nn.Module):
    """Blurry y (N, H, W, 3) to sharp x of the same size; not clipped."""

    width: int = 32
    encoder_blocks: tuple[int, ...] = (1, 1, 1, 28)
    middle_blocks: int = 1
    decoder_blocks: tuple[int, ...] = (1, 1, 1, 1)
    train_size: int = 256
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, y: Array) -> Array:
        scales = len(self.encoder_blocks)
        if len(self.decoder_blocks) != scales:
            raise UserError(
                f"a NAFNet has as many decoder_blocks as encoder_blocks, {scales}; "
                f"not {len(self.decoder_blocks)}"
            )
        size = (y.shape[1], y.shape[2])
        down, right = (-n % 2**scales for n in size)
        padded = jnp.pad(y, ((0, 0), (0, down), (0, right), (0, 0)))
        x = Conv(self.width, dtype=self.dtype, name="intro")(padded)
        skips = []
        for scale, blocks in enumerate(self.encoder_blocks):
            x = self._blocks(x, blocks, scale, f"encoder{scale}")
            skips.append(x)
            x = Conv(
                2 * x.shape[-1], 2, stride=2, dtype=self.dtype, name=f"down{scale}"
            )(x)
        x = self._blocks(x, self.middle_blocks, scales, "middle")
        for step, blocks in enumerate(self.decoder_blocks):
            up = Conv(
                2 * x.shape[-1], 1, use_bias=False, dtype=self.dtype, name=f"up{step}"
            )
            x = pixel_shuffle(up(x)) + skips.pop()
            x = self._blocks(x, blocks, scales - 1 - step, f"decoder{step}")
        x = Conv(3, dtype=self.dtype, name="ending")(x).astype(y.dtype)
        return crop(padded + x, size)

    def _blocks(self, x: Array, count: int, scale: int, name: str) -> Array:
        window = int(WINDOW * self.train_size) // 2**scale
        names = [f"{name}_block{index}" for index in range(count)]
        if self.is_initializing():
            for one in names:
                x = NAFBlock(window, self.dtype, name=one)(x)
            return x
        apart, learned = NAFBlock(window, self.dtype, parent=None), self.variables

        def block(x: Array, theta: Any) -> Any:
            return apart.apply({"params": theta}, x)

        return chain(block, x, [learned["params"][one] for one in names])
