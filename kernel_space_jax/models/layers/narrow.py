"""Convolutions from few features or to few as matrix products, for CPUs.

A network's first layer and its last, and their adjoints. XLA's convolution leaves most
of a CPU's lanes empty there. x is (N, H, W, C), w is (kh, kw, C, O):

    from few   y = patches(x) w, of one column or of two at a time
    to few     y = the sum over taps of x w[tap], each shifted to where it is met
"""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
from jax import Array, lax

# From few: patches of up to this many numbers. To few: up to this many features, for up
# to so many numbers of all taps. Measured on two cores.
PATCH = 64
FEW, TAPS = 6, 150
# Two columns at a time, or to few, where the other side is wide and the image large.
WIDE, PIXELS = 16, 4096

Solve = Callable[[Array, Array, int, int], Array]


def solver(w: Array, pixels: int) -> Solve | None:
    """What is faster than XLA's convolution for so many pixels of y, if anything is."""
    kh, kw, channels, features = w.shape
    # An exported program's batch, any number, is not known.
    large = not isinstance(pixels, int) or pixels >= PIXELS
    if kh * kw * channels <= PATCH:
        return partial(_from_few, together=2 if large and features >= WIDE else 1)
    if features <= FEW and kh * kw * features <= TAPS and channels >= WIDE and large:
        return _to_few
    return None


def correlate(x: Array, w: Array, pads: tuple, solve: Solve) -> Array:
    """w * x with `pads` zeros around x, by a `solver`: (N, H', W', O)."""
    rows, columns = (
        n + sum(sides) - k + 1
        for n, sides, k in zip(x.shape[1:3], pads, w.shape[:2], strict=True)
    )
    return solve(_padded(x, pads), w, rows, columns)


def _from_few(x: Array, w: Array, rows: int, columns: int, *, together: int) -> Array:
    """`together` columns of y see a few more of x, side by side in memory."""
    kh, kw, channels, features = w.shape
    groups, sees = -(-columns // together), kw + together - 1
    reach = -(-sees // together)  # groups of x that a group of y sees
    spare = together * (groups + reach - 1) - x.shape[2]
    x = _padded(x, ((0, 0), (0, spare)))
    x = x.reshape(*x.shape[:2], -1, together * channels)
    seen = [
        x[:, :, i : i + groups, : min(together, sees - together * i) * channels]
        for i in range(reach)
    ]
    wide = jnp.concatenate(seen, -1)
    patches = jnp.concatenate([wide[:, a : a + rows] for a in range(kh)], -1)
    # Column j of a group meets the columns from j on.
    each = [
        jnp.pad(w, ((0, 0), (j, together - 1 - j), (0, 0), (0, 0)))
        for j in range(together)
    ]
    w = jnp.stack(each, 3).reshape(-1, together * features)
    y = jnp.tensordot(patches, w, 1)
    return y.reshape(*y.shape[:2], -1, features)[:, :, :columns]


def _to_few(x: Array, w: Array, rows: int, columns: int) -> Array:
    """What each pixel of x adds to all that see it, then the sum."""
    kh, kw, channels, features = w.shape
    shares = jnp.tensordot(x, w.transpose(2, 0, 1, 3).reshape(channels, -1), 1)
    shares = shares.reshape(*x.shape[:3], kh, kw, features)
    total = jnp.zeros((), x.dtype)
    for a in range(kh):
        for b in range(kw):
            total = total + shares[:, a : a + rows, b : b + columns, a, b]
    return total


def _padded(x: Array, pads: tuple) -> Array:
    """x with zeros around it, or cut where a pad is negative."""
    around = [(low, high, 0) for low, high in pads]
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *around, (0, 0, 0)))
