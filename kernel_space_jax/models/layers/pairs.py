"""Pairs of columns: half of the bytes of few features on a TPU.

A TPU keeps features in tiles of 128 and multiplies 128 by 128 of them: 64 features
leave half of a tile and three quarters of the multiplier empty. Two columns side by
side, (N, H, W, C) as (N, H, W/2, 2C), fill the tile. Up to half of the products are
then with zeros, in places of the multiplier that were empty.
"""

import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.backend import platform
from kernel_space_jax.models.layers.convolution import LAYOUT

TILE = 128  # features


def pays(features: int) -> bool:
    """Whether an image of so many features is better kept in pairs."""
    return platform() == "tpu" and 2 * features <= TILE


def paired(x: Array) -> Array:
    """(N, H, W, C) -> (N, H, W/2, 2C)."""
    n, h, w, c = x.shape
    return x.reshape(n, h, w // 2, 2 * c)


def unpaired(x: Array) -> Array:
    """(N, H, W/2, 2C) -> (N, H, W, C)."""
    n, h, w, c = x.shape
    return x.reshape(n, h, 2 * w, c // 2)


def by_place(w: Array) -> Array:
    """The last axis from c 4 + 2 i + j, as `pixel_shuffle` takes it, to i, j, c."""
    return w.reshape(*w.shape[:-1], -1, 4).swapaxes(-1, -2).reshape(w.shape)


def shuffled_pairs(x: Array) -> Array:
    """`paired(pixel_shuffle(x))` of features that are ordered by place."""
    n, h, w, c = x.shape
    return x.reshape(n, h, w, 2, c // 2).swapaxes(2, 3).reshape(n, 2 * h, w, c // 2)


def convolve_pairs(x: Array, w: Array, stride: int = 1) -> Array:
    """w * x with one zero on every side, w (3, 3, C, O) and x in pairs.

    With a stride of 1 the answer is in pairs too: (N, H, W/2, 2O). A stride of 2 takes
    one column of a pair: (N, H/2, W/2, O).
    """
    channels, features = w.shape[2:]
    # Column j of pair p meets columns 2 p + j - 1 to 2 p + j + 1, and this is how many
    # pairs they lie in, from pair p - 1 on.
    reach, columns = (3, 2) if stride == 1 else (2, 1)
    taps = [
        jnp.pad(w, ((0, 0), (1 + j, 2 * reach - 4 - j), (0, 0), (0, 0)))
        for j in range(columns)
    ]
    w = jnp.stack(taps, 3).reshape(3, reach, 2 * channels, columns * features)
    pads = ((1, 1), (1, reach - 2))
    return lax.conv_general_dilated(x, w, (stride, 1), pads, dimension_numbers=LAYOUT)
