"""MIMO-UNet: three sizes of the photo in, three out, one U-Net (Cho et al., ICCV 2021).

y is given at its own size, at a half and at a quarter (each second pixel of each second
row). The smaller ones become features s (`Shallow`) and join those of the encoder,

    x <- x + W (x . s)

Each level of the decoder but the coarsest gets features of all three levels of the
encoder, and each gives a photo, added to y of its size. MIMO-UNet has 8 residual blocks
at each level of encoder and decoder; MIMO-UNet+ 20, and dropout of whole channels, of
a probability of 0.1, where the encoder's features join the decoder.
"""

import flax.linen as nn
import jax.numpy as jnp
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.layers import (
    Conv,
    ConvTranspose,
    Dropout,
    ResnetBlock,
    crop,
    pad_to_multiple,
    upsample_nearest,
)

LEVELS = 3


class Shallow(nn.Module):
    """W [y, u] of a smaller y (N, h, w, 3), u by four convolutions of y (the SCM)."""

    features: int
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, y: Array) -> Array:
        wide = self.features
        u = y
        for index, (features, kernel) in enumerate(
            [(wide // 4, 3), (wide // 2, 1), (wide // 2, 3), (wide - 3, 1)]
        ):
            conv = Conv(features, kernel, dtype=self.dtype, name=f"conv{index}")
            u = nn.relu(conv(u))
        last = Conv(wide, 1, dtype=self.dtype, name="last")
        return last(jnp.concatenate([y.astype(u.dtype), u], -1))


class Fusion(nn.Module):
    """Features of all levels, brought to one size, into those of that one (the AFF)."""

    features: int
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, *levels: Array) -> Array:
        x = Conv(self.features, 1, dtype=self.dtype, name="conv0")(
            jnp.concatenate(levels, -1)
        )
        return Conv(self.features, dtype=self.dtype, name="conv1")(nn.relu(x))


class MIMOUNet(nn.Module):
    """Blurry y (N, H, W, 3) to sharp x of the same size; not clipped.

    `every` gives [x / 4, x / 2, x]: at a quarter of the size, a half, and whole. Photos
    are reflected at the bottom and right to multiples of 4 pixels. `keys` (N,) are of
    the dropout, in training.
    """

    width: int = 32
    blocks: int = 8
    dropout: float = 0.0
    dtype: Dtype | None = None

    @nn.compact
    def __call__(
        self, y: Array, keys: Array | None = None, every: bool = False
    ) -> Array | list[Array]:
        padded, size = pad_to_multiple(y, 2 ** (LEVELS - 1))
        photos = [padded[:, :: 2**level, :: 2**level] for level in range(LEVELS)]
        encoded = self._encode(photos)
        skips = [self._fused(encoded, level, keys) for level in range(LEVELS - 1)]

        x, answers = self._blocks(encoded[-1], "decoder2"), []
        for level in reversed(range(LEVELS)):
            if level < LEVELS - 1:
                x = jnp.concatenate([x, skips[level]], -1)
                x = nn.relu(self._conv(self._wide(level), f"reduce{level}", 1)(x))
                x = self._blocks(x, f"decoder{level}")
            found = self._conv(3, f"answer{level}")(x).astype(y.dtype)
            small = (-(-n // 2**level) for n in size)
            answers.append(crop(photos[level] + found, tuple(small)))
            if level > 0:
                up = ConvTranspose(
                    self._wide(level - 1), dtype=self.dtype, name=f"up{level - 1}"
                )
                x = nn.relu(up(x))
        return answers if every else answers[-1]

    def _encode(self, photos: list[Array]) -> list[Array]:
        """The features of each level: all of its pixels, twice the channels."""
        x = nn.relu(self._conv(self._wide(0), "intro")(photos[0]))
        encoded = [self._blocks(x, "encoder0")]
        for level in range(1, LEVELS):
            wide = self._wide(level)
            shallow = Shallow(wide, self.dtype, name=f"shallow{level}")
            down = Conv(wide, stride=2, dtype=self.dtype, name=f"down{level - 1}")
            x = nn.relu(down(encoded[-1]))
            x = x + self._conv(wide, f"attend{level}")(x * shallow(photos[level]))
            encoded.append(self._blocks(x, f"encoder{level}"))
        return encoded

    def _fused(self, encoded: list[Array], level: int, keys: Array | None) -> Array:
        sizes = [
            x[:, :: 2 ** (level - own), :: 2 ** (level - own)]
            if own <= level
            else upsample_nearest(x, 2 ** (own - level))
            for own, x in enumerate(encoded)
        ]
        x = Fusion(self._wide(level), self.dtype, name=f"fuse{level}")(*sizes)
        return Dropout(self.dropout, maps=True, name=f"dropout{level}")(x, keys)

    def _blocks(self, x: Array, name: str) -> Array:
        for index in range(self.blocks):
            block = ResnetBlock("zero", dtype=self.dtype, name=f"{name}_block{index}")
            x = block(x)
        return x

    def _conv(self, features: int, name: str, kernel: int = 3) -> Conv:
        return Conv(features, kernel, dtype=self.dtype, name=name)

    def _wide(self, level: int) -> int:
        return self.width * 2**level
