"""What the published networks are built of: NHWC, PyTorch's arithmetic.

`convolution.py`, `winograd.py` and `narrow.py` are the arithmetic, fast on CPU;
`strips.py` is for large images there and `chain.py` for many equal blocks; `pairs.py`
is for images at their own size on a TPU. `conv.py` has the layers that use them;
`norms.py`, `shape.py` and `blocks.py` what stands between them.
"""

from kernel_space_jax.models.layers.blocks import (
    NonLocalBlock,
    ResidualBlock,
    ResnetBlock,
)
from kernel_space_jax.models.layers.chain import chain
from kernel_space_jax.models.layers.conv import (
    Conv,
    ConvTranspose,
    Initialiser,
    Point,
    he_uniform,
    torch_uniform,
    uniform_bias,
)
from kernel_space_jax.models.layers.depthwise import DepthwiseConv
from kernel_space_jax.models.layers.dropout import Dropout
from kernel_space_jax.models.layers.norms import (
    BatchNorm,
    InstanceNorm,
    LayerNorm,
    Norm,
    Statistics,
    instance_norm,
    layer_norm,
)
from kernel_space_jax.models.layers.places import over_far, over_near
from kernel_space_jax.models.layers.shape import (
    Padding,
    around,
    centre_crop,
    crop,
    downsample_bilinear,
    max_pool,
    pad_sides,
    pad_to_multiple,
    pixel_shuffle,
    pixel_unshuffle,
    upsample_bilinear,
    upsample_from_corner,
    upsample_nearest,
    window_mean,
)
from kernel_space_jax.models.layers.spectral import SpectralConv
from kernel_space_jax.models.layers.strips import in_strips

__all__ = [
    "BatchNorm",
    "Conv",
    "ConvTranspose",
    "DepthwiseConv",
    "Dropout",
    "Initialiser",
    "InstanceNorm",
    "LayerNorm",
    "NonLocalBlock",
    "Norm",
    "Padding",
    "ResidualBlock",
    "ResnetBlock",
    "Point",
    "SpectralConv",
    "Statistics",
    "around",
    "centre_crop",
    "chain",
    "crop",
    "downsample_bilinear",
    "he_uniform",
    "in_strips",
    "instance_norm",
    "layer_norm",
    "max_pool",
    "over_far",
    "over_near",
    "pad_sides",
    "pad_to_multiple",
    "pixel_shuffle",
    "pixel_unshuffle",
    "torch_uniform",
    "uniform_bias",
    "upsample_bilinear",
    "upsample_from_corner",
    "upsample_nearest",
    "window_mean",
]
