"""Degradations of the kind that BSRGAN mixes: Gaussian blur, resizing, noise, JPEG.

Zhang et al., "Designing a Practical Degradation Model for Deep Blind Image
Super-Resolution" (2021). The size of the picture stays.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.synthesis.jpeg import jpeg
from kernel_space_jax.synthesis.kernels import blur_uniform

Range = tuple[float, float]


def degrade(
    key: Array,
    x: Array,
    *,
    sizes: tuple[int, int] = (7, 21),
    width: Range = (0.1, 2.4),
    axes: Range = (0.5, 6.0),
    scale: Range = (0.5, 1.0),
    noise: Range = (1 / 255, 25 / 255),
    quality: Range = (30.0, 95.0),
) -> Array:
    """x (H, W, C) in [0, 1] after all of it: (H, W, C) in [0, 1].

    A round and an elongated `gaussian_kernel`, `resample` by a bilinear or bicubic
    filter, Gaussian noise before or after that, and `jpeg`, each drawn evenly from
    its range. BSRGAN shuffles the steps; here only the noise changes its place, for
    in a batch every order would have to be worked out for every picture.
    """
    round_, long, small, filter_, grain, level, when, file = jax.random.split(key, 8)
    h = gaussian_kernel(round_, sizes=sizes, width=width, axes=None)
    y = blur_uniform(x, h)
    h = gaussian_kernel(long, sizes=sizes, axes=axes)
    y = blur_uniform(y, h)
    n = _between(level, noise) * jax.random.normal(grain, x.shape, x.dtype)
    early = jax.random.bernoulli(when)
    y = resample(
        y + jnp.where(early, n, 0),
        _between(small, scale),
        cubic=jax.random.bernoulli(filter_),
    )
    y = y + jnp.where(early, 0, n)
    return jpeg(y, jnp.round(_between(file, quality)))


def gaussian_kernel(
    key: Array,
    *,
    sizes: tuple[int, int] = (7, 21),
    width: Range = (0.1, 2.4),
    axes: Range | None = (0.5, 6.0),
) -> Array:
    """A random Gaussian, centred, in a frame of the largest size: (size, size).

    Its own size is an odd one from `sizes`, outside which it is 0. With `axes` the
    variances along two turned axes come from there; without, it is round, and its
    standard deviation comes from `width`.
    """
    extent, turn, first, second = jax.random.split(key, 4)
    smallest, largest = sizes
    reach = jax.random.randint(extent, (), smallest // 2, largest // 2 + 1)
    angle = jnp.pi * jax.random.uniform(turn)
    if axes is None:
        variances = 2 * (jnp.square(_between(first, width)),)
    else:
        variances = _between(first, axes), _between(second, axes)
    place = jnp.arange(largest, dtype=jnp.float32) - largest // 2
    y, x = place[:, None], place
    along = jnp.cos(angle) * x + jnp.sin(angle) * y
    across = jnp.cos(angle) * y - jnp.sin(angle) * x
    energy = along**2 / variances[0] + across**2 / variances[1]
    inside = (jnp.abs(y) <= reach) & (jnp.abs(x) <= reach)
    h = jnp.where(inside, jnp.exp(-energy / 2), 0)
    return h / jnp.sum(h)


def resample(x: Array, scale: Array | float, *, cubic: Array | bool = False) -> Array:
    """x (H, W, C) made `scale` times as large, at most 1, and back to its size.

    By a triangle, or Keys's cubic (a = -1/2), as wide as it takes not to alias: two
    products with matrices of H x H and W x W.
    """
    rows, columns = (_there_and_back(side, scale, cubic) for side in x.shape[:2])
    exact = lax.Precision.HIGHEST
    x = jnp.einsum("ih,hwc->iwc", rows, x, precision=exact)
    return jnp.einsum("jw,iwc->ijc", columns, x, precision=exact)


def _there_and_back(side: int, scale: Array | float, cubic: Array | bool) -> Array:
    """The matrix of `resample` along one axis: (side, side)."""
    small = jnp.maximum(jnp.round(side * jnp.asarray(scale)), 1)
    down = _resize(side, small, side, cubic)
    up = _resize(small, side, side, cubic)
    return jnp.matmul(up, down, precision=lax.Precision.HIGHEST)


def _resize(
    before: Array | int, after: Array | int, frame: int, cubic: Array | bool
) -> Array:
    """From `before` pixels to `after`, each at the start of a frame: (frame, frame)."""
    ratio = before / after
    pixels = jnp.arange(frame, dtype=jnp.float32)
    places = (pixels[:, None] + 0.5) * ratio - 0.5
    d = jnp.abs(places - pixels) / jnp.maximum(ratio, 1)
    near = (1.5 * d - 2.5) * d * d + 1
    far = ((2.5 - 0.5 * d) * d - 4) * d + 2
    keys = jnp.where(d < 1, near, jnp.where(d < 2, far, 0))
    weights = jnp.where(cubic, keys, jnp.maximum(0, 1 - d))
    # What lies outside counts for nothing.
    weights = jnp.where((pixels < before) & (pixels[:, None] < after), weights, 0)
    total = jnp.sum(weights, 1, keepdims=True)
    return weights / jnp.where(total == 0, 1, total)


def _between(key: Array, range_: Range) -> Array:
    low, high = range_
    return jax.random.uniform(key, minval=low, maxval=high)
