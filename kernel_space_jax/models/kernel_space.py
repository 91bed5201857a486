"""The kernel space of Tran, Tran, Phung and Hoai (CVPR 2021).

    y = F(x, k)    the blur operator: sharp x under the blur code k
    k = G(x, y)    the kernel extractor

Images are (N, H, W, 3) in [0, 1]. The code is (N, ceil(H/128), ceil(W/128), C):
one vector for every 128 pixels, at least 2x2. The published networks take sides that
are multiples of 128 and at least 256. Here any size is extended to such a size by
reflection, and F's result is cropped.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.layers import (
    Conv,
    ConvTranspose,
    Norm,
    Padding,
    ResidualBlock,
    ResnetBlock,
    crop,
    in_strips,
    instance_norm,
    pad_to_multiple,
    pixel_shuffle,
)
from kernel_space_jax.models.layers.pairs import (
    by_place,
    paired,
    pays,
    shuffled_pairs,
    unpaired,
)

STRIDE = 128  # image pixels to one position of the code


class Features(nn.Module):
    """The features of an image for F and G: (N, H, W, 3) -> (N, H/4, W/4, width)."""

    width: int
    blocks: int
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        # Until the first halving.
        pairs = pays(self.width)
        x = paired(x) if pairs else x
        convs = [
            Conv(
                self.width,
                stride=stride,
                pairs=pairs and index < 2,
                dtype=self.dtype,
                name=f"conv{index}",
            )  # fmt: skip
            for index, stride in enumerate((1, 2, 2))
        ]

        def quartered(x: Array) -> Array:
            for conv in convs:
                x = nn.leaky_relu(conv(x), 0.1)
            return x

        # A row of the answer sees four rows of x above its own four, and below.
        x = in_strips(quartered, x, stride=4, halo=4)
        for index in range(self.blocks):
            x = ResidualBlock(dtype=self.dtype, name=f"block{index}")(x)
        return x


class KernelEncoder(nn.Module):
    """Five halvings and residual blocks: (N, h, w, C) -> (N, h/32, w/32, features).

    The body of the kernel extractor, and of the untrained kernel prior.
    """

    width: int
    features: int
    blocks: int
    padding: Padding = "reflect"
    norm: Norm = "none"
    use_bias: bool = True
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        norm = instance_norm if self.norm == "instance" else lambda y: y
        options = {"use_bias": self.use_bias, "dtype": self.dtype}
        # The first convolution reflects whatever the padding of the blocks.
        x = Conv(
            self.width, 7, padding="reflect", use_bias=self.use_bias,
            dtype=self.dtype, name="conv0",
        )(x)  # fmt: skip
        x = nn.relu(norm(x))
        for level in range(1, 6):
            features = min(self.width * 2**level, self.features)
            conv = Conv(features, stride=2, name=f"conv{level}", **options)
            x = nn.relu(norm(conv(x)))
        for index in range(self.blocks):
            x = ResnetBlock(
                self.padding, self.norm, **options, name=f"block{index}"
            )(x)  # fmt: skip
        return x


class BlurUNet(nn.Module):
    """The five-level U-Net that mixes the code into the features of x.

    Down by 4x4 stride-2 convolutions, up by transposed ones; the code joins the
    innermost activations; each level hands on [up path, skip].
    """

    width: int
    norm: Norm = "none"
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array, code: Array) -> Array:
        norm = instance_norm if self.norm == "instance" else lambda y: y
        use_bias = self.norm == "instance"
        widths = [self.width * factor for factor in (1, 2, 4, 8, 8)]
        skips = []
        for level, width in enumerate(widths):
            conv = Conv(
                width, 4, 2, use_bias=use_bias, dtype=self.dtype, name=f"down{level}"
            )
            if level > 0:
                skips.append(x)
                x = nn.leaky_relu(x, 0.2)
            x = conv(x)
            if 0 < level < 4:
                x = norm(x)
        x = jnp.concatenate([x, code.astype(x.dtype)], -1)
        for level in (4, 3, 2, 1, 0):
            up = ConvTranspose(
                widths[level - 1] if level else self.width,
                use_bias=use_bias or level == 0,
                dtype=self.dtype,
                name=f"up{level}",
            )
            x = up(nn.relu(x))
            if level:
                x = jnp.concatenate([norm(x), skips.pop()], -1)
        return jnp.tanh(x)


class Reconstruction(nn.Module):
    """Residual blocks and two pixel shuffles: (N, h, w, C) -> (N, 4h, 4w, 3)."""

    width: int
    blocks: int
    tail_width: int = 64  # at the image's own resolution
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for index in range(self.blocks):
            x = ResidualBlock(dtype=self.dtype, name=f"block{index}")(x)
        x = Conv(4 * self.width, dtype=self.dtype, name="up0")(x)
        x = nn.leaky_relu(pixel_shuffle(x), 0.1)
        # At the image's own size.
        pairs = pays(self.tail_width)
        order = by_place if pairs else None
        x = Conv(4 * self.tail_width, order=order, dtype=self.dtype, name="up1")(x)
        x = nn.leaky_relu(shuffled_pairs(x) if pairs else pixel_shuffle(x), 0.1)
        tail = {"pairs": pairs, "dtype": self.dtype}
        x = nn.leaky_relu(Conv(self.tail_width, **tail, name="conv0")(x), 0.1)
        x = Conv(3, **tail, name="conv1")(x)
        return unpaired(x) if pairs else x


class KernelSpace(nn.Module):
    """F and G, which share the features of the sharp image.

    Methods: `extract` (G), `blur` (F), `reconstruct` (F after G: one training
    pass). Padding and norm are those of the published training files.
    """

    width: int = 64
    code_width: int = 512
    front_blocks: int = 10
    back_blocks: int = 20
    code_blocks: int = 4
    variational: bool = False
    padding: Padding = "reflect"
    norm: Norm = "none"
    tail_width: int = 64  # the published one, whatever the width
    dtype: Dtype | None = None

    def setup(self):
        self.features = Features(self.width, self.front_blocks, self.dtype)
        self.extractor = KernelEncoder(
            self.width,
            self.code_width * (2 if self.variational else 1),
            self.code_blocks,
            self.padding,
            self.norm,
            use_bias=self.norm == "instance",
            dtype=self.dtype,
        )
        self.unet = BlurUNet(self.width, self.norm, self.dtype)
        self.reconstruction = Reconstruction(
            self.width, self.back_blocks, self.tail_width, self.dtype
        )

    def __call__(self, sharp: Array, blurry: Array) -> Array:
        """F(x, G(x, y)) without sampling: touches every parameter."""
        return self.reconstruct(sharp, blurry)[0]

    def extract(self, sharp: Array, blurry: Array) -> tuple[Array, Array]:
        """G: the mean and sigma of the code, each (N, H/128, W/128, code_width).

        A plain (not variational) space is sure of its code: sigma is zero.
        """
        sharp, _ = _fit(sharp, self.least_grid)
        blurry, _ = _fit(blurry, self.least_grid)
        return self._extract(self.features(sharp), self.features(blurry))

    def blur(self, sharp: Array, code: Array) -> Array:
        """F: the image that the blur `code` makes of `sharp`; not clipped.

        A code found on images of another size is stretched over this one.
        """
        grid = tuple(-(-side // STRIDE) for side in sharp.shape[1:3])
        padded, size = _fit(sharp, 1 if code.shape[1:3] == grid else self.least_grid)
        grid = tuple(side // STRIDE for side in padded.shape[1:3])
        if code.shape[1:3] != grid:
            shape = (code.shape[0], *grid, code.shape[3])
            code = jax.image.resize(code, shape, "linear")
        return crop(self._blur(padded, self.features(padded), code), size)

    def reconstruct(
        self, sharp: Array, blurry: Array, noise: Array | None = None
    ) -> tuple[Array, Array, Array]:
        """F(x, mean + sigma noise), mean, sigma; the features of x are found once."""
        padded, size = _fit(sharp, self.least_grid)
        blurry, _ = _fit(blurry, self.least_grid)
        seen = self.features(padded)
        mean, sigma = self._extract(seen, self.features(blurry))
        code = mean if noise is None else mean + sigma * noise
        return crop(self._blur(padded, seen, code), size), mean, sigma

    @property
    def least_grid(self) -> int:
        """Fewest positions of the code a side: a single one cannot be reflected."""
        return 2 if self.padding == "reflect" else 1

    def _extract(self, sharp: Array, blurry: Array) -> tuple[Array, Array]:
        code = self.extractor(jnp.concatenate([sharp, blurry], -1))
        code = code.astype(jnp.promote_types(code.dtype, jnp.float32))
        if not self.variational:
            return code, jnp.zeros_like(code)
        mean, sigma = jnp.split(code, 2, -1)
        return mean, sigma

    def _blur(self, sharp: Array, seen: Array, code: Array) -> Array:
        residual = self.reconstruction(self.unet(seen, code))
        return sharp + residual.astype(sharp.dtype)


def _fit(images: Array, least: int) -> tuple[Array, tuple[int, int]]:
    """Images reflected up to a grid that the network runs on, and their own size."""
    return pad_to_multiple(images, STRIDE, least * STRIDE)
