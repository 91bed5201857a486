"""DeblurGAN-v2's FPN-MobileNet generator (Kupyn et al., ICCV 2019).

    x = clip(y + tanh(G(y)), -1, 1)

G: MobileNetV2 (Sandler et al., CVPR 2018) seen at five scales, a feature pyramid (Lin
et al., CVPR 2017) that adds each scale to the coarser one, enlarged, and heads whose
results are put side by side at a quarter of the image's sides. Images are in [-1, 1].
Its other published generator, the ResNet, is `deblurgan.py`.

The published program tests as it trains, by the statistics of the photo at hand;
`statistics="running"` takes those that the file holds. Photos get rows and columns of
zeros, a medium grey, up to a multiple of 32 pixels; the program adds 32 more to sides
that are a multiple.
"""

from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.layers import (
    Conv,
    DepthwiseConv,
    InstanceNorm,
    Statistics,
    crop,
    upsample_nearest,
)
from kernel_space_jax.models.restorers.face import SIGNED, Face

# The blocks of MobileNetV2, by the scale after which the pyramid looks at them: how
# many times each widens its input, its channels and its stride.
SCALES = (
    ((1, 16, 1),),
    ((6, 24, 2), (6, 24, 1)),
    ((6, 32, 2), (6, 32, 1), (6, 32, 1)),
    ((6, 64, 2), (6, 64, 1), (6, 64, 1), (6, 64, 1)),
    ((6, 96, 1), (6, 96, 1), (6, 96, 1), (6, 160, 2), (6, 160, 1)),
)
STEM = 32


class InvertedResidual(nn.Module):
    """norm(W2 relu6(norm(D relu6(norm(W1 x))))), D depthwise; plus x of its size."""

    widening: int
    features: int
    stride: int
    statistics: Statistics = "image"
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array, training: bool = False) -> Array:
        norm = lambda u, name: InstanceNorm(self.statistics, affine=True, name=name)(
            u, training
        )
        common = {"use_bias": False, "dtype": self.dtype}
        u = x
        if self.widening > 1:
            wide = self.widening * x.shape[-1]
            u = Conv(wide, 1, **common, name="expand")(u)
            u = nn.relu6(norm(u, "expand_norm"))
        u = DepthwiseConv(stride=self.stride, **common, name="depthwise")(u)
        u = nn.relu6(norm(u, "depthwise_norm"))
        u = norm(Conv(self.features, 1, **common, name="project")(u), "project_norm")
        return x + u if x.shape == u.shape else u


class DeblurGANv2(nn.Module):
    """Blurry y (N, H, W, 3) in [-1, 1] to sharp x of the same size and range.

    `keys` (N,), one an example, belong to training: running statistics then move.
    """

    width: int = 64
    pyramid: int = 128
    statistics: Statistics = "image"
    dtype: Dtype | None = None
    face: ClassVar[Face] = SIGNED

    @nn.compact
    def __call__(self, y: Array, keys: Array | None = None) -> Array:
        size = (y.shape[1], y.shape[2])
        down, right = (-n % 32 for n in size)
        padded = jnp.pad(y, ((0, 0), (0, down), (0, right), (0, 0)))
        norm = lambda x, name, affine=False: InstanceNorm(
            self.statistics, affine, name=name
        )(x, training=keys is not None)
        conv = lambda x, features, name, kernel=3, use_bias=False: Conv(
            features, kernel, use_bias=use_bias, dtype=self.dtype, name=name
        )(x)

        stem = Conv(STEM, stride=2, use_bias=False, dtype=self.dtype, name="stem")
        x = nn.relu6(norm(stem(padded), "stem_norm", affine=True))
        seen, number = [], 0
        for blocks in SCALES:
            for widening, features, stride in blocks:
                number += 1
                block = InvertedResidual(
                    widening, features, stride, self.statistics, self.dtype,
                    name=f"block{number}",
                )  # fmt: skip
                x = block(x, keys is not None)
            seen.append(x)

        x = conv(seen.pop(), self.pyramid, "lateral4", 1)
        maps = [x]
        for step, scale in enumerate((3, 2, 1), start=1):
            x = conv(seen.pop(), self.pyramid, f"lateral{scale}", 1)
            x = conv(
                x + upsample_nearest(maps[-1]), self.pyramid, f"merge{step}", 3, True
            )
            maps.append(nn.relu(norm(x, f"merge{step}_norm")))
        heads = []
        for scale, x in zip((4, 3, 2, 1), maps, strict=True):
            for part in range(2):
                x = nn.relu(conv(x, self.width, f"head{scale}_conv{part}"))
            heads.append(upsample_nearest(x, 2 ** (scale - 1)))
        x = conv(jnp.concatenate(heads, -1), self.width, "smooth", 3, True)
        x = upsample_nearest(nn.relu(norm(x, "smooth_norm")))
        # Half of the width: they are added.
        x = x + conv(seen.pop(), self.width, "lateral0", 1)
        x = conv(x, self.width // 2, "smooth2", 3, True)
        x = upsample_nearest(nn.relu(norm(x, "smooth2_norm")))
        x = jnp.tanh(conv(x, 3, "final", 3, True).astype(y.dtype))
        return crop(jnp.clip(padded + x, -1, 1), size)
