"""JPEG in JAX: what the format loses, without writing a file.

ITU-T T.81: YCbCr with half the chroma in each direction, 8x8 cosine transforms,
quantised by the tables of its Annex K. Only the lossless part is left out.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from kernel_space_jax.models.layers import upsample_bilinear

LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
CHROMA = np.full((8, 8), 99)
CHROMA[:4, :4] = [
    [17, 18, 24, 47],
    [18, 21, 26, 66],
    [24, 26, 56, 99],
    [47, 66, 99, 99],
]

# Y, Cb, Cr of JFIF.
YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)

_n = np.arange(8)
# The orthonormal cosine transform of eight numbers.
DCT = np.sqrt(np.where(_n == 0, 1, 2) / 8)[:, None] * np.cos(
    np.pi * np.outer(_n, 2 * _n + 1) / 16
)


def jpeg(x: Array, quality: Array | float) -> Array:
    """x as it comes back from a JPEG of `quality` 1 to 100: (H, W, 3) in [0, 1]."""
    height, width = x.shape[:2]
    pads = ((0, -height % 16), (0, -width % 16), (0, 0))
    rgb = jnp.pad(jnp.round(255 * jnp.clip(x, 0, 1)), pads, mode="edge")
    # Programs hold whole numbers from 0 to 255 after every step.
    ycc = jnp.round(jnp.einsum("hwc,kc->khw", rgb, YCC, precision="highest"))
    scale = jnp.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    luma = _whole(_quantise(ycc[0] - 128, LUMA, scale) + 128)
    half = jnp.round(_halve(ycc[1:]))
    chroma = jnp.stack([_quantise(plane, CHROMA, scale) for plane in half])
    chroma = jnp.round(upsample_bilinear(chroma[..., None])[..., 0])
    ycc = jnp.concatenate([luma[None], chroma])
    rgb = jnp.einsum("khw,ck->hwc", ycc, np.linalg.inv(YCC), precision="highest")
    return _whole(rgb[:height, :width]) / 255


def _whole(x: Array) -> Array:
    return jnp.clip(jnp.round(x), 0, 255)


def _halve(planes: Array) -> Array:
    """The mean of every 2x2: (N, H, W) -> (N, H/2, W/2)."""
    n, height, width = planes.shape
    return planes.reshape(n, height // 2, 2, width // 2, 2).mean((2, 4))


def _quantise(plane: Array, table: np.ndarray, scale: Array) -> Array:
    """A plane (H, W) about zero whose blocks' spectra are rounded."""
    height, width = plane.shape
    steps = jnp.clip(jnp.floor((table * scale + 50) / 100), 1, 255)[:, None]
    blocks = plane.reshape(height // 8, 8, width // 8, 8)
    spectrum = _transform(blocks, DCT)
    spectrum = jnp.round(spectrum / steps) * steps
    return _transform(spectrum, DCT.T).reshape(height, width)


def _transform(blocks: Array, matrix: np.ndarray) -> Array:
    """matrix B matrix^T of each block B: (h, 8, w, 8) -> the same."""
    exact = lax.Precision.HIGHEST
    columns = jnp.einsum("ui,hiwj->huwj", matrix, blocks, precision=exact)
    return jnp.einsum("vj,huwj->huwv", matrix, columns, precision=exact)
