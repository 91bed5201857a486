"""Critics: networks D whose answers are high where an image looks real.

Each answers for every patch of images (N, H, W, 3): maps (N, h, w, 1). PatchGAN is by
Isola et al. (CVPR 2017); `PRESETS` says which papers take it, and how. A critic sees
images in its generator's range: [-1, 1] of DeblurGAN, CycleGAN and DualGAN, [0, 1] of
Blur2Blur.

Answers are those before a sigmoid; programs with one (DeblurGAN's "gan") have the loss
`vanilla`. The norm "batch" is what it is of the papers' batches of one image: by the
image's own mean and variance, then a learned map. So what a critic answers for an
image never depends on the rest of its batch.
"""

from functools import partial
from typing import Any, Literal

import flax.linen as nn
from flax.typing import Dtype
from jax import Array, lax

from kernel_space_jax.errors import unknown
from kernel_space_jax.models.layers import (
    Conv,
    InstanceNorm,
    SpectralConv,
    Statistics,
)
from kernel_space_jax.models.preset import Preset

CriticNorm = Literal["none", "instance", "batch", "spectral"]

# The authors draw all weights from N(0, 0.02^2).
small = nn.initializers.normal(0.02)


def convolution(
    features: int,
    stride: int = 1,
    *,
    padding: int,
    norm: CriticNorm = "none",
    use_bias: bool = True,
    dtype: Dtype | None = None,
    name: str,
) -> Conv:
    """4x4, of normalised weights under the norm "spectral"."""
    kind = SpectralConv if norm == "spectral" else Conv
    return kind(
        features,
        4,
        stride,
        pad=padding,
        use_bias=use_bias,
        kernel_init=small,
        bias_init=nn.initializers.zeros,
        dtype=dtype,
        name=name,
    )


class Block(nn.Module):
    """leaky_relu(norm(conv(x))), of slope 0.2.

    Biases are where the authors' programs have them.
    """

    features: int
    stride: int
    padding: int
    norm: CriticNorm
    statistics: Statistics = "image"
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array, training: bool) -> Array:
        x = convolution(
            self.features,
            self.stride,
            padding=self.padding,
            norm=self.norm,
            use_bias=self.norm in ("instance", "spectral"),
            dtype=self.dtype,
            name="conv",
        )(x)
        if self.norm in ("instance", "batch"):
            affine = self.norm == "batch"
            x = InstanceNorm(self.statistics, affine, name="norm")(x, training)
        return nn.leaky_relu(x, 0.2)


class PatchGAN(nn.Module):
    """A critic of patches: images (N, H, W, 3) -> (N, h, w, 1).

    `layers` convolutions of stride 2, then two of stride 1: 3 layers see patches of
    70x70 pixels, 5 of 286x286. `training` matters to running statistics only.
    """

    width: int = 64
    layers: int = 3
    padding: int = 1
    norm: CriticNorm = "instance"
    statistics: Statistics = "image"
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array, training: bool = False) -> Array:
        image_type = x.dtype
        common: dict[str, Any] = {"padding": self.padding, "dtype": self.dtype}
        norm: CriticNorm = "spectral" if self.norm == "spectral" else "none"
        first = convolution(self.width, 2, norm=norm, **common, name="first")
        x = nn.leaky_relu(first(x), 0.2)
        for depth in range(1, self.layers + 1):
            block = Block(
                self.width * min(2**depth, 8),
                2 if depth < self.layers else 1,
                norm=self.norm,
                statistics=self.statistics,
                **common,
                name=f"block{depth}",
            )
            x = block(x, training)
        last = convolution(1, norm=norm, **common, name="last")
        return last(x).astype(image_type)


class DoubleScale(nn.Module):
    """DeblurGAN-v2's two critics (Kupyn et al., ICCV 2019): of patches, of the photo.

    Images (N, H, W, 3) -> the answers of both, [(N, h, w, 1), (N, h', w', 1)].
    """

    width: int = 64
    layers: int = 3
    full_layers: int = 5
    padding: int = 2
    norm: CriticNorm = "instance"
    statistics: Statistics = "image"
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array, training: bool = False) -> list[Array]:
        of_depth = partial(
            PatchGAN,
            self.width,
            padding=self.padding,
            norm=self.norm,
            statistics=self.statistics,
            dtype=self.dtype,
        )
        patch = of_depth(self.layers, name="patch")
        full = of_depth(self.full_layers, name="full")
        return [patch(x, training), full(x, training)]


class MultiScale(nn.Module):
    """The critic of three depths in DeblurGAN-v2's program.

    Images (N, H, W, 3) -> [(N, h, w, 1), ...] after 3, 4 and 5 convolutions of stride
    2, each answer by two of stride 1 of its own.
    """

    width: int = 64
    tail_width: int = 512
    padding: int = 2
    statistics: Statistics = "image"
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array, training: bool = False) -> list[Array]:
        image_type = x.dtype
        common: dict[str, Any] = {"padding": self.padding, "dtype": self.dtype}
        block = partial(Block, statistics=self.statistics, **common)
        x = nn.leaky_relu(convolution(self.width, 2, **common, name="first")(x), 0.2)
        answers = []
        for depth in range(1, 5):
            width = self.width * min(2**depth, 8)
            x = block(width, 2, norm="instance", name=f"block{depth}")(x, training)
            if depth > 1:
                tail = block(self.tail_width, 1, norm="batch", name=f"tail{depth}")
                last = convolution(1, **common, name=f"last{depth}")
                answers.append(last(tail(x, training)).astype(image_type))
        return answers


def pyramid(x: Array, scales: int = 3) -> list[Array]:
    """Images (N, H, W, C) at 1/4, 1/2 and 1/1 of their size, the smallest first.

    Bilinear without a filter: each pixel is the mean of the four about its centre.
    Blur2Blur's critic (Pham et al., CVPR 2024) is one network, applied to each.
    """
    images = [x]
    for factor in (2**scale for scale in range(1, scales)):
        small = x
        for axis in (1, 2):
            first, n = factor // 2 - 1, x.shape[axis] // factor
            cut = partial(lax.slice_in_dim, small, stride=factor, axis=axis)
            length = (n - 1) * factor + 1
            before, after = (cut(at, at + length) for at in (first, first + 1))
            small = (before + after) / 2
        images.insert(0, small)
    return images


# What weight files call them.
NETWORKS: dict[str, type[nn.Module]] = {
    "patchgan": PatchGAN,
    "patchgan_double_scale": DoubleScale,
    "patchgan_multi_scale": MultiScale,
}

PRESETS: dict[str, Preset] = {
    "deblurgan-critic": Preset(
        "patchgan", {"padding": 2}, "DeblurGAN's critic (Kupyn 2018)"
    ),
    "deblurgan-v2-critic": Preset(
        "patchgan_double_scale", {}, "DeblurGAN-v2's two critics (Kupyn 2019)"
    ),
    "cyclegan-critic": Preset("patchgan", {}, "CycleGAN's critics (Zhu 2017)"),
    "dualgan-critic": Preset(
        "patchgan", {"norm": "batch"}, "DualGAN's critics (Yi 2017)"
    ),
    "blur2blur-critic": Preset(
        "patchgan", {}, "Blur2Blur's critic of every scale of `pyramid` (Pham 2024)"
    ),
}


def critic(name: str, **options: Any) -> nn.Module:
    """The network of a preset, or of a name in `NETWORKS`, with options on top."""
    if name in PRESETS:
        preset = PRESETS[name]
        return NETWORKS[preset.network](**{**preset.options, **options})
    if name not in NETWORKS:
        raise unknown("critic", name, [*PRESETS, *NETWORKS])
    return NETWORKS[name](**options)
