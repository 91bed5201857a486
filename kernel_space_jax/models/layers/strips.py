"""Large images in strips of rows, so that what lies between layers stays small."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from kernel_space_jax.backend import platform

# Smaller images gain nothing; each strip is compiled of its own.
LARGE, STRIP, MOST = 2**18, 2**17, 16


def in_strips(
    layers: Callable[[Array], Array], x: Array, stride: int, halo: int
) -> Array:
    """layers(x), strip by strip where x (N, H, W, C) is large and the platform a CPU.

    The layers pad by zeros and leave H / stride rows. `halo`, a multiple of stride, is
    how many rows of x above and below its own a row of the answer may depend on.
    """
    pixels = x.shape[1] * x.shape[2]
    if platform() != "cpu" or pixels <= LARGE:
        return layers(x)
    rows = x.shape[1] // stride
    strip = -(-rows // min(MOST, round(pixels / STRIP)))
    found = []
    for first in range(0, rows, strip):
        start = max(0, stride * first - halo)
        y = layers(x[:, start : stride * (first + strip) + halo])
        # What depends on rows that were left out is wrong; it is left out too.
        skip = first - start // stride
        found.append(y[:, skip : skip + min(strip, rows - first)])
    return jnp.concatenate(found, 1)
