"""SRN: one U-Net at three scales of the photo, coarse to fine (Tao et al., CVPR 2018).

    x_s, m_s = U(y_s, up x_{s+1}, up m_{s+1}),   s = 2, 1, 0,   x_3 = y

y_s is every 2^s-th pixel of y, U the same weights at every scale, and m what a
convolutional LSTM at the bottom of U keeps from scale to scale. No gradient goes
through `up x`. The published `lstm` and `gray` take one channel, and restore each
colour of a photo by itself; `color`, without the LSTM, takes the three together.
"""

from typing import ClassVar, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.layers import (
    Conv,
    ConvTranspose,
    ResidualBlock,
    crop,
    upsample_from_corner,
)
from kernel_space_jax.models.restorers.face import PLAIN, SINGLE, Face

# Of the photo, and how often U halves its input.
SCALES, HALVINGS = 3, 2
# Sides of y are multiples of it, so that the coarsest scale can be halved.
MULTIPLE = 2 ** (SCALES - 1 + HALVINGS)
FORGET_BIAS = 1.0

xavier = nn.initializers.xavier_uniform()
zeros = nn.initializers.zeros


class Memory(NamedTuple):
    """What an LSTM keeps: its cell c and its answer h, (N, H, W, C) each."""

    c: Array
    h: Array


class ConvLSTM(nn.Module):
    """c <- c s(f + 1) + s(i) tanh j,  h <- s(o) tanh c,  (i, j, f, o) = W * (x, h).

    What has no memory yet starts from zeros.
    """

    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array, memory: Memory | None) -> Memory:
        memory = memory or Memory(jnp.zeros_like(x), jnp.zeros_like(x))
        draw = nn.initializers.truncated_normal(1e-3)
        gates = Conv(
            4 * x.shape[-1], kernel_init=draw, bias_init=zeros,
            dtype=self.dtype, name="gates",
        )  # fmt: skip
        i, j, f, o = jnp.split(gates(jnp.concatenate([x, memory.h], -1)), 4, -1)
        kept = memory.c * nn.sigmoid(f + FORGET_BIAS)
        c = kept + nn.sigmoid(i) * jnp.tanh(j)
        return Memory(c, jnp.tanh(c) * nn.sigmoid(o))


class Scale(nn.Module):
    """U: y and a first x side by side (N, H, W, 2 C) to x (N, H, W, C), with memory."""

    width: int
    blocks: int
    lstm: bool
    dtype: Dtype | None = None

    @nn.compact
    def __call__(
        self, pair: Array, memory: Memory | None
    ) -> tuple[Array, Memory | None]:
        x, skips = nn.relu(self._conv(self.width, name="intro")(pair)), []
        for level in range(HALVINGS + 1):
            if level:
                skips.append(x)
                down = self._conv(
                    2 * x.shape[-1], stride=2, padding="same", name=f"down{level - 1}"
                )
                x = nn.relu(down(x))
            x = self._blocks(x, f"encoder{level}")
        if self.lstm:
            memory = ConvLSTM(self.dtype, name="lstm")(x, memory)
            x = memory.h
        for level in reversed(range(HALVINGS + 1)):
            x = self._blocks(x, f"decoder{level}")
            if level:
                up = ConvTranspose(
                    x.shape[-1] // 2, kernel_init=xavier, bias_init=zeros,
                    dtype=self.dtype, name=f"up{level - 1}",
                )  # fmt: skip
                x = nn.relu(up(x)) + skips.pop()
        return self._conv(pair.shape[-1] // 2, name="ending")(x), memory

    def _conv(self, features: int, **more) -> Conv:
        return Conv(
            features, 5, kernel_init=xavier, bias_init=zeros, dtype=self.dtype, **more
        )

    def _blocks(self, x: Array, name: str) -> Array:
        for index in range(self.blocks):
            block = ResidualBlock(
                5, kernel_init=xavier, dtype=self.dtype, name=f"{name}_block{index}"
            )
            x = block(x)
        return x


class SRN(nn.Module):
    """Blurry y (N, H, W, C) to sharp x of the same size; not clipped.

    C is `channels`; U has `blocks` at each of its resolutions, on both ways. With
    `every` it gives x at all three scales, the coarsest first; pixel (i, j) of scale s
    is that of the photo at (2^s i, 2^s j).
    """

    width: int = 32
    blocks: int = 3
    channels: Literal[1, 3] = 1
    lstm: bool = True
    dtype: Dtype | None = None

    # A small answer is compared with every n-th pixel of a sharp image.
    strided: ClassVar[bool] = True

    @property
    def face(self) -> Face:
        """One colour at a time, where the network takes one channel."""
        return SINGLE if self.channels == 1 else PLAIN

    @nn.compact
    def __call__(self, y: Array, every: bool = False) -> Array | list[Array]:
        size = (y.shape[1], y.shape[2])
        down, right = (-n % MULTIPLE for n in size)
        # The authors' program repeats the border in this way.
        padded = jnp.pad(y, ((0, 0), (0, down), (0, right), (0, 0)), mode="edge")
        scale = Scale(self.width, self.blocks, self.lstm, self.dtype, name="scale")
        steps = [2**s for s in reversed(range(SCALES))]
        x, memory = padded[:, :: steps[0], :: steps[0]], None
        answers = []
        for step in steps:
            if answers:
                x = jax.lax.stop_gradient(upsample_from_corner(x))
                memory = jax.tree.map(upsample_from_corner, memory)
            pair = jnp.concatenate([padded[:, ::step, ::step], x], -1)
            x, memory = scale(pair, memory)
            x = x.astype(y.dtype)
            answers.append(crop(x, (-(-size[0] // step), -(-size[1] // step))))
        return answers if every else answers[-1]
