"""Layers without weights: padding, cropping, and changes of resolution (NHWC)."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.backend import platform

Padding = Literal["zero", "reflect", "replicate"]


def pad_sides(x: Array, pad: int, padding: Padding) -> Array:
    """x (N, H, W, C) with `pad` more pixels on each of its four sides."""
    if pad == 0:
        return x
    mode = {"zero": "constant", "reflect": "reflect", "replicate": "edge"}[padding]
    return jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode=mode)


def pad_same(x: Array, kernel: int, stride: int) -> Array:
    """x with TensorFlow's SAME zeros: an odd one stands at the bottom and the right."""
    pads = []
    for n in x.shape[1:3]:
        most = max((-(-n // stride) - 1) * stride + kernel - n, 0)
        pads.append((most // 2, most - most // 2))
    return jnp.pad(x, ((0, 0), *pads, (0, 0)))


def pad_to_multiple(
    images: Array, multiple: int, minimum: int = 0
) -> tuple[Array, tuple[int, int]]:
    """Images reflected at the bottom and right until each side is a multiple.

    Returns them and their own (height, width), for `crop`. Sides shorter than the
    padding are reflected again and again.
    """
    h, w = images.shape[1:3]
    down, right = (
        -(-max(side, minimum) // multiple) * multiple - side for side in (h, w)
    )
    if down or right:
        pads = ((0, 0), (0, down), (0, right), (0, 0))
        images = jnp.pad(images, pads, mode="reflect")
    return images, (h, w)


def crop(images: Array, size: tuple[int, int]) -> Array:
    """The top left (height, width) of the images."""
    return images[:, : size[0], : size[1]]


def centre_crop(x: Array, size: tuple[int, int]) -> Array:
    """The central (height, width) of x (N, H, W, C)."""
    top, left = (x.shape[1] - size[0]) // 2, (x.shape[2] - size[1]) // 2
    return x[:, top : top + size[0], left : left + size[1]]


def pixel_shuffle(x: Array, factor: int = 2) -> Array:
    """(N, H, W, C f^2) -> (N, fH, fW, C): channel c f^2 + f i + j lands at (i, j)."""
    n, h, w, c = x.shape
    x = x.reshape(n, h, w, c // factor**2, factor, factor)
    return x.transpose(0, 1, 4, 2, 5, 3).reshape(n, h * factor, w * factor, -1)


def pixel_unshuffle(x: Array, factor: int = 2) -> Array:
    """(N, fH, fW, C) -> (N, H, W, C f^2), what `pixel_shuffle` undoes."""
    n, h, w, c = x.shape
    x = x.reshape(n, h // factor, factor, w // factor, factor, c)
    return x.transpose(0, 1, 3, 5, 2, 4).reshape(n, h // factor, w // factor, -1)


def upsample_nearest(x: Array, factor: int = 2) -> Array:
    """(N, H, W, C) -> (N, fH, fW, C), each pixel as a square of its colour."""
    n, h, w, c = x.shape
    shape = (n, h, factor, w, factor, c)
    x = jnp.broadcast_to(x[:, :, None, :, None], shape)
    return x.reshape(n, h * factor, w * factor, c)


def upsample_bilinear(x: Array, factor: int = 2) -> Array:
    """`factor` times the size, half-pixel centres: 2 mixes 3/4 and 1/4 of neighbours.

    Written as shifted sums: `jax.image.resize` is four times slower on CPU.
    """
    for axis in (1, 2):
        edge = jnp.concatenate(
            [x.take(jnp.array([0]), axis), x, x.take(jnp.array([-1]), axis)], axis
        )
        n = x.shape[axis]
        before = jax.lax.slice_in_dim(edge, 0, n, axis=axis)
        after = jax.lax.slice_in_dim(edge, 2, n + 2, axis=axis)
        shifts = [(2 * i + 1 - factor) / (2 * factor) for i in range(factor)]
        mixed = [
            (1 - abs(shift)) * x + abs(shift) * (before if shift < 0 else after)
            for shift in shifts
        ]
        shape = list(x.shape)
        shape[axis] = factor * n
        x = jnp.stack(mixed, axis + 1).reshape(shape)
    return x


def downsample_bilinear(x: Array, factor: int = 2) -> Array:
    """1/`factor` of the size, even, as `jax.image.resize` of "linear" does it.

    A triangle over 2 factor pixels, 1 3 3 1 for half the size; at an edge what lies in
    the image counts as the whole.
    """
    half = factor // 2
    taps = (np.arange(2 * factor) + 0.5) / factor
    weights = 1 - np.abs(taps - 1)
    for axis in (1, 2):
        n = x.shape[axis] // factor
        inside = np.pad(np.ones(n * factor), half)
        sums = [weights @ inside[i * factor : (i + 2) * factor] for i in range(n)]
        pads = [(half, half) if i == axis else (0, 0) for i in range(x.ndim)]
        shape = (*x.shape[:axis], n + 1, factor, *x.shape[axis + 1 :])
        parts = jnp.pad(x, pads).reshape(shape)
        total = jnp.zeros((), x.dtype)
        for tap in range(factor):
            part = jax.lax.index_in_dim(parts, tap, axis + 1, keepdims=False)
            for start, share in ((0, weights[tap]), (1, weights[tap + factor])):
                seen = jax.lax.slice_in_dim(part, start, start + n, axis=axis)
                total = total + float(share) * seen
        around = (n,) + (1,) * (x.ndim - axis - 1)
        x = total / jnp.asarray(sums, x.dtype).reshape(around)
    return x


def upsample_from_corner(x: Array) -> Array:
    """Twice the size as TensorFlow 1 resizes: x[i] at 2 i, the mean of two between.

    What lies behind the last row and column repeats them.
    """
    for axis in (1, 2):
        n = x.shape[axis]
        last = jax.lax.slice_in_dim(x, n - 1, n, axis=axis)
        after = jax.lax.slice_in_dim(x, 1, n, axis=axis)
        after = jnp.concatenate([after, last], axis)
        shape = list(x.shape)
        shape[axis] = 2 * n
        x = jnp.stack([x, (x + after) / 2], axis + 1).reshape(shape)
    return x


def max_pool(x: Array) -> Array:
    """The largest of every 2x2 pixels; an odd last row or column is left out."""
    h, w = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    x = x[:, :h, :w]
    x = jnp.maximum(x[:, ::2], x[:, 1::2])
    return jnp.maximum(x[:, :, ::2], x[:, :, 1::2])


def window_mean(x: Array, window: int = 0) -> Array:
    """The mean over every whole window of x (N, H, W, C), one for each place of it.

    `window` pixels down and across, or all of a shorter side: (N, H - h + 1, W - w + 1,
    C). A window of 0 pixels is all of x: (N, 1, 1, C).
    """
    height, width = x.shape[1:3]
    if window == 0 or (window >= height and window >= width):
        return jnp.mean(x, (1, 2), keepdims=True)
    sums = _running_sums if platform() == "cpu" else _sum_differences
    for axis, n in ((1, height), (2, width)):
        size = min(window, n)
        x = (sums(x.astype(jnp.float32), axis, size) / size).astype(x.dtype)
    return x


def around(means: Array, size: tuple[int, int]) -> Array:
    """What `window_mean` found, for each pixel of `size`: that of the nearest window.

    Whatever acts on each place alone is cheaper before this than after it.
    """
    if means.shape[1:3] == (1, 1):
        return means
    spare = [n - m for n, m in zip(size, means.shape[1:3], strict=True)]
    sides = [(n // 2, n - n // 2) for n in spare]
    return jnp.pad(means, ((0, 0), *sides, (0, 0)), mode="edge")


def _running_sums(x: Array, axis: int, size: int) -> Array:
    """Sums of `size` neighbours along an axis, each from the one before it."""
    # XLA on CPU makes a cumulative sum two to four times as slow as this loop.
    pixels = lambda i: jax.lax.dynamic_index_in_dim(x, i, axis, keepdims=False)
    first = jnp.sum(jax.lax.slice_in_dim(x, 0, size, axis=axis), axis)
    last, sums = jax.lax.scan(
        lambda total, i: (total + (pixels(i + size) - pixels(i)), total),
        first,
        jnp.arange(x.shape[axis] - size),
    )
    return jnp.moveaxis(jnp.concatenate([sums, last[None]]), 0, axis)


def _sum_differences(x: Array, axis: int, size: int) -> Array:
    """Sums of `size` neighbours along an axis, as differences of cumulative sums."""
    sums = jnp.cumsum(x, axis)
    later = jax.lax.slice_in_dim(sums, size - 1, None, axis=axis)
    zero = jnp.zeros_like(jax.lax.slice_in_dim(sums, 0, 1, axis=axis))
    sooner = jax.lax.slice_in_dim(sums, 0, x.shape[axis] - size, axis=axis)
    return later - jnp.concatenate([zero, sooner], axis)
