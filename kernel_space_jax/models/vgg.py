"""VGG19's features (Simonyan and Zisserman 2015), for perceptual losses.

Images go in as they are, in [0, 1]: the kernel-space papers leave out the ImageNet
mean and standard deviation.
"""

import flax.linen as nn
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.layers import Conv, max_pool

# Convolutions of each of the five stages; the last stage ends at its first one,
# since nothing here looks further than relu5_1.
STAGES = (2, 2, 4, 4, 1)


class VGG19(nn.Module):
    """Images (N, H, W, 3) -> relu1_1, relu2_1, relu3_1, relu4_1, relu5_1."""

    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> list[Array]:
        seen = []
        for stage, (width, convolutions) in enumerate(
            zip(self.widths, STAGES, strict=True), start=1
        ):
            if stage > 1:
                x = max_pool(x)
            for index in range(1, convolutions + 1):
                conv = Conv(width, dtype=self.dtype, name=f"conv{stage}_{index}")
                x = nn.relu(conv(x))
                if index == 1:
                    seen.append(x)
        return seen
