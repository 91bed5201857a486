"""Twice the size through the filter [1, 3, 3, 1], as StyleGAN2 does it."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

# Its sum is 2: of the pixels that it meets, every other one is zero.
TAPS = (0.25, 0.75, 0.75, 0.25)


def smooth(x: Array, taps: Sequence[float] = TAPS) -> Array:
    """The filter along both axes, with one zero on each side: NHWC, a pixel less."""
    for axis in (1, 2):
        pads = [(1, 1) if a == axis else (0, 0) for a in range(4)]
        padded = jnp.pad(x, pads)
        size = padded.shape[axis] - len(taps) + 1
        cut = [slice(None)] * 4
        total = jnp.zeros(())
        for start, tap in enumerate(taps):
            cut[axis] = slice(start, start + size)
            total = total + tap * padded[tuple(cut)]
        x = total
    return x


def upsample(x: Array) -> Array:
    """(N, H, W, C) -> (N, 2H, 2W, C): zeros between pixels, then the filter.

    Pixel by pixel that is (x[i-1] + 3 x[i]) / 4 and (3 x[i] + x[i+1]) / 4.
    """
    for axis in (1, 2):
        pads = [(1, 1) if a == axis else (0, 0) for a in range(4)]
        padded = jnp.pad(x, pads)
        size = x.shape[axis]
        cut = [slice(None)] * 4
        before, after = cut.copy(), cut.copy()
        before[axis], after[axis] = slice(0, size), slice(2, size + 2)
        pair = [0.75 * x + 0.25 * padded[tuple(side)] for side in (before, after)]
        shape = (*x.shape[:axis], 2 * size, *x.shape[axis + 1 :])
        x = jnp.stack(pair, axis + 1).reshape(shape)
    return x
