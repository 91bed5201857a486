"""Larger by the filter [1, 3, 3, 1], as StyleGAN2 does it, and smaller by bicubic."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
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


def reduce(x: Array, factor: int) -> Array:
    """(N, H, W, C) -> (N, H/f, W/f, C) by the cubic filter with a = -1/2, 4 f wide.

    The image is reflected at its borders: the reduction of PULSE (Menon et al. 2020).
    """
    if factor == 1:
        return x
    taps, pad = _cubic(factor), 3 * factor
    before = pad // 2
    for axis in (1, 2):
        pads = [(before, pad - before) if a == axis else (0, 0) for a in range(4)]
        padded = jnp.pad(x, pads, mode="reflect")
        size = x.shape[axis] // factor
        cut = [slice(None)] * 4
        total = jnp.zeros(())
        for start, tap in enumerate(taps):
            cut[axis] = slice(start, start + factor * (size - 1) + 1, factor)
            total = total + tap * padded[tuple(cut)]
        x = total
    return x


def _cubic(factor: int) -> np.ndarray:
    """Keys' cubic with a = -1/2 at 4 f points, of sum 1."""
    t = np.abs((np.arange(4 * factor) - 2 * factor + 0.5) / factor)
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    taps = np.where(t <= 1, near, far)
    return taps / taps.sum()
