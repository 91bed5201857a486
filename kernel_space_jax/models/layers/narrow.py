"""Convolutions from few features or to few as matrix products, for CPUs.

A network's first layer and its last, and their adjoints. XLA's convolution leaves most
of a CPU's lanes empty there. x is (N, H, W, C), w is (kh, kw, C, O):

    from few   y = patches(x) w, of two columns at a time
    to few     y = the sum over taps of x w[tap], each shifted to where it is met

`scripts/benchmark.py transfer` shows the gain.
"""

import jax.numpy as jnp
from jax import Array, lax

# From few: patches of up to this many numbers. To few: up to this many features, for up
# to so many numbers of all taps. The other side has at least WIDE. Measured.
PATCH = 64
FEW, TAPS = 6, 150
WIDE = 16


def pays(kernel: tuple[int, int], channels: int, features: int) -> bool:
    """Whether it is faster than XLA's convolution."""
    taps = kernel[0] * kernel[1]
    from_few = taps * channels <= PATCH and features >= WIDE
    to_few = features <= FEW and taps * features <= TAPS and channels >= WIDE
    return from_few or to_few


def correlate(x: Array, w: Array, pads: tuple) -> Array:
    """w * x with `pads` zeros around x: (N, H', W', O)."""
    kh, kw, channels, _ = w.shape
    rows, columns = (
        n + sum(sides) - k + 1
        for n, sides, k in zip(x.shape[1:3], pads, (kh, kw), strict=True)
    )
    solve = _from_few if kh * kw * channels <= PATCH else _to_few
    return solve(_padded(x, pads), w, rows, columns)


def _from_few(x: Array, w: Array, rows: int, columns: int) -> Array:
    """Two columns of y see kw + 1 of x, which lie one after the other in memory."""
    kh, kw, channels, features = w.shape
    pairs = -(-columns // 2)
    reach = -(-(kw + 1) // 2)  # pairs of x that a pair of y sees
    x = _padded(x, ((0, 0), (0, 2 * (pairs + reach - 1) - x.shape[2])))
    x = x.reshape(*x.shape[:2], -1, 2 * channels)
    seen = [
        x[:, :, i : i + pairs, : min(2, kw + 1 - 2 * i) * channels]
        for i in range(reach)
    ]
    wide = jnp.concatenate(seen, -1)
    patches = jnp.concatenate([wide[:, a : a + rows] for a in range(kh)], -1)
    # Column j of a pair meets the columns from j on.
    both = [jnp.pad(w, ((0, 0), (j, 1 - j), (0, 0), (0, 0))) for j in (0, 1)]
    w = jnp.stack(both, 3).reshape(-1, 2 * features)
    y = jnp.tensordot(patches, w, 1)
    return y.reshape(*y.shape[:2], 2 * pairs, features)[:, :, :columns]


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
