"""Features of VGG16 and VGG19 (Simonyan and Zisserman 2015), for perceptual losses.

Images go in as they are. The kernel-space papers leave them in [0, 1]; those that
subtract the mean of ImageNet and divide by its deviation do so with `normalised`.
"""

from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.layers import Conv, max_pool

# What the perceptual loss compares, what the style loss does, what DeblurGAN does; and
# what Blur2Blur does, of VGG16.
PERCEPTUAL_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
STYLE_LAYERS = ("relu2_2", "relu3_4", "relu4_4", "relu5_2")
CONTENT_LAYERS = ("conv3_3",)
TRANSLATION_LAYERS = ("relu2_2", "relu3_3", "relu4_1", "relu4_3", "conv5_1")

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def normalised(x: Array) -> Array:
    """Images in [0, 1] as torchvision's networks were trained on them."""
    return (x - jnp.array(MEAN, x.dtype)) / jnp.array(DEVIATION, x.dtype)


class VGG(nn.Module):
    """Images (N, H, W, 3) -> the activations `layers`, by name.

    conv3_3 is what the convolution gives, relu3_3 that after its ReLU. Runs no further
    than the last of them.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    layers: tuple[str, ...] = PERCEPTUAL_LAYERS
    dtype: Dtype | None = None

    convolutions: ClassVar[tuple[int, ...]]  # of each stage

    @nn.compact
    def __call__(self, x: Array) -> dict[str, Array]:
        seen = {}
        for stage, width in enumerate(self.widths, start=1):
            for index in range(1, self.convolutions[stage - 1] + 1):
                if len(seen) == len(self.layers):
                    return seen
                if index == 1 and stage > 1:
                    x = max_pool(x)
                name = f"{stage}_{index}"
                x = Conv(width, dtype=self.dtype, name=f"conv{name}")(x)
                if f"conv{name}" in self.layers:
                    seen[f"conv{name}"] = x
                x = nn.relu(x)
                if f"relu{name}" in self.layers:
                    seen[f"relu{name}"] = x
        return seen


class VGG16(VGG):
    """Thirteen convolutions."""

    layers: tuple[str, ...] = TRANSLATION_LAYERS

    convolutions: ClassVar = (2, 2, 3, 3, 3)


class VGG19(VGG):
    """Sixteen convolutions."""

    convolutions: ClassVar = (2, 2, 4, 4, 4)
