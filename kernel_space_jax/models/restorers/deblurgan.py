"""DeblurGAN's generator (Kupyn et al., CVPR 2018), also the ResNet one of version 2.

    x = clip(y + tanh(G(y)), -1, 1)

G: a 7x7 convolution, two of stride 2, `blocks` residual blocks
b <- b + norm(conv(drop(relu(norm(conv(b)))))), two transposed convolutions and a 7x7
one. Images are in [-1, 1]. The published programs test as they train, by the statistics
of the photo at hand; `statistics="running"` takes those that the file holds.
"""

from typing import ClassVar, Literal

import flax.linen as nn
import jax.numpy as jnp
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.layers import (
    Conv,
    ConvTranspose,
    Dropout,
    InstanceNorm,
    Statistics,
    crop,
    pad_to_multiple,
)
from kernel_space_jax.models.restorers.face import SIGNED, Face

# The authors draw all weights from N(0, 0.02^2).
small = nn.initializers.normal(0.02)


class DeblurGAN(nn.Module):
    """Blurry y (N, H, W, 3) in [-1, 1] to sharp x of the same size and range.

    `keys` (N,), one an example, belong to training: they drop features, and move
    running statistics. A block of one convolution is what the authors' program makes
    since June 2018: it is conv, norm, and with dropout a ReLU.
    """

    width: int = 64
    blocks: int = 9
    convolutions: Literal[1, 2] = 2
    norm: Literal["instance", "batch"] = "instance"
    statistics: Statistics = "image"
    dropout: float = 0.5
    residual: bool = True
    dtype: Dtype | None = None
    face: ClassVar[Face] = SIGNED

    @nn.compact
    def __call__(self, y: Array, keys: Array | None = None) -> Array:
        padded, size = pad_to_multiple(y, 4)
        drop = lambda x, name: Dropout(self.dropout, name=name)(x, keys)
        norm = lambda x, name: InstanceNorm(
            self.statistics, affine=self.norm == "batch", name=name
        )(x, training=keys is not None)
        # Whatever a batch norm's own map adds takes the place of biases.
        common = {
            "use_bias": self.norm == "instance",
            "kernel_init": small,
            "dtype": self.dtype,
        }
        x = Conv(self.width, 7, padding="reflect", **common, name="first")(padded)
        x = nn.relu(norm(x, "first_norm"))
        for i in range(2):
            down = Conv(self.width * 2 ** (i + 1), stride=2, **common, name=f"down{i}")
            x = nn.relu(norm(down(x), f"down{i}_norm"))
        for i in range(self.blocks):
            name = f"block{i}"
            conv = lambda x, part, name=name: Conv(
                x.shape[-1], padding="reflect", **common, name=f"{name}_conv{part}"
            )(x)
            b = norm(conv(x, 1), f"{name}_norm1")
            if self.convolutions == 2 or self.dropout:
                b = drop(nn.relu(b), f"{name}_dropout")
            if self.convolutions == 2:
                b = norm(conv(b, 2), f"{name}_norm2")
            x = x + b
        for i in range(2):
            up = ConvTranspose(self.width * 2 ** (1 - i), 3, **common, name=f"up{i}")
            x = nn.relu(norm(up(x), f"up{i}_norm"))
        last = Conv(
            3, 7, padding="reflect", kernel_init=small, dtype=self.dtype, name="last"
        )
        x = jnp.tanh(last(x).astype(y.dtype))
        if self.residual:
            x = jnp.clip(padded + x, -1, 1)
        return crop(x, size)
