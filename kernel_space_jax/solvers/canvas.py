"""A photo with a border of unknown pixels around it, of a size that is fast to FFT.

What lies outside the photo was blurred into it, but never seen. So x is solved for on
a canvas that is larger than the photo by the reach of the kernel, and only the pixels
of the photo count in the data term: |M(h * x - y)|^2 with M = 1 on the photo. The
circular convolution of the canvas then wraps round in unknown pixels only. On the
Levin photos this is worth 2 dB and more over any tapering of the edges.

Here images are planes (..., H, W), the image axes last, as the FFT wants them.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.fft import next_fast_len


class Canvas(NamedTuple):
    """Sizes (height, width): of the canvas, of the photo, and where the photo lies."""

    size: tuple[int, int]
    photo: tuple[int, int]
    corner: tuple[int, int]

    def mask(self) -> Array:
        """M: (height, width), true on the photo."""
        return jnp.zeros(self.size, bool).at[self._inside()].set(True)

    def fill(self, y: Array) -> Array:
        """y (..., H, W) on the canvas; its outermost pixels go on outwards."""
        sides = [
            (start, whole - start - part)
            for start, whole, part in zip(
                self.corner, self.size, self.photo, strict=True
            )
        ]
        return jnp.pad(y, [(0, 0)] * (y.ndim - 2) + sides, mode="edge")

    def cut(self, x: Array) -> Array:
        """The photo's part of x (..., height, width)."""
        return x[..., *self._inside()]

    def transform(self, x: Array) -> Array:
        """x (..., height, width) -> its spectrum (..., height, width // 2 + 1)."""
        return jnp.fft.rfft2(x)

    def inverse(self, spectrum: Array) -> Array:
        """The inverse of `transform`."""
        return jnp.fft.irfft2(spectrum, self.size)

    def kernel(self, h: Array) -> Array:
        """The spectrum of h * x over x, for h (..., kh, kw) with its usual centre."""
        kh, kw = h.shape[-2:]
        rows, columns = (n - k for n, k in zip(self.size, (kh, kw), strict=True))
        wide = jnp.pad(h, [(0, 0)] * (h.ndim - 2) + [(0, rows), (0, columns)])
        return jnp.fft.rfft2(jnp.roll(wide, (-(kh // 2), -(kw // 2)), (-2, -1)))

    def _inside(self) -> tuple[slice, slice]:
        top, left = self.corner
        return slice(top, top + self.photo[0]), slice(left, left + self.photo[1])


def canvas(photo: tuple[int, ...], kernel: tuple[int, ...]) -> Canvas:
    """The canvas of a photo (H, W) that a kernel (kh, kw) has blurred."""
    (height, top), (width, left) = (
        _side(n, k) for n, k in zip(photo, kernel, strict=True)
    )
    return Canvas((height, width), (photo[0], photo[1]), (top, left))


def _side(photo: int, kernel: int) -> tuple[int, int]:
    """Length of the canvas, and where the photo starts."""
    length = int(next_fast_len(photo + kernel + 1, real=True) or 0)
    return length, (length - photo) // 2


def difference(x: Array, name: str) -> Array:
    """A circular finite difference of x (..., H, W), of first or second order.

    "y", "x": x[p] - x[p - 1] down and to the right; "yy", "xx", "xy": two of them.
    """
    for axis in name:
        x = x - jnp.roll(x, 1, _AXES[axis])
    return x


def difference_adjoint(u: Array, name: str) -> Array:
    """The adjoint of `difference`."""
    for axis in name:
        u = u - jnp.roll(u, -1, _AXES[axis])
    return u


def difference_power(size: tuple[int, int], name: str) -> np.ndarray:
    """|D|^2 of `difference` at each frequency: (height, width // 2 + 1)."""
    height, width = size
    frequency = {
        "y": np.arange(height)[:, None] / height,
        "x": np.arange(width // 2 + 1) / width,
    }
    power = np.ones((height, width // 2 + 1))
    for axis in name:
        power = power * (2 - 2 * np.cos(2 * np.pi * frequency[axis]))
    return power.astype(np.float32)


_AXES = {"y": -2, "x": -1}
