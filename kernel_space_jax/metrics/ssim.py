"""Structural similarity (Wang et al. 2004), in the two forms that papers print."""

from functools import reduce
from math import exp
from typing import Literal

import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.metrics.psnr import crop_border

Border = Literal["valid", "zero", "edge"]

RADIUS = 5
SIGMA = 1.5
C1 = 0.01**2
C2 = 0.03**2

TOTAL = sum(exp(-(tap**2) / (2 * SIGMA**2)) for tap in range(-RADIUS, RADIUS + 1))


def ssim(x: Array, y: Array, *, crop: int = 0, border: Border = "valid") -> Array:
    """Mean over pixels and channels of the SSIM map: two (N, H, W, C) -> (N,).

    `border="valid"` is the form of BasicSR and scikit-image; `"edge"` on luma is the Y
    score of NAFNet, Restormer and Blur2Blur; `"zero"` is the usual training loss.
    """
    x, y = crop_border(x, crop), crop_border(y, crop)
    return _mean_similarity(x, y, axes=(1, 2), border=border)


def ssim_3d(x: Array, y: Array, *, crop: int = 0) -> Array:
    """SSIM whose window also runs across channels: two (N, H, W, C) -> (N,).

    The 11 x 11 x 11 window with replicated borders is the RGB score of NAFNet,
    Restormer and Blur2Blur: far above `ssim` on the same pair, not to be mixed.
    """
    x, y = crop_border(x, crop), crop_border(y, crop)
    return _mean_similarity(x, y, axes=(3, 1, 2), border="edge")


def _mean_similarity(
    x: Array, y: Array, *, axes: tuple[int, ...], border: Border
) -> Array:
    """Mean (2 m_x m_y + C1)(2 c_xy + C2) / (m_x^2 + m_y^2 + C1)(v_x + v_y + C2)."""
    x, y = _pad(x, axes, border), _pad(y, axes, border)
    # E[x^2] - E[x]^2 cancels in float32 unless the images are centred first.
    centre_x, centre_y = _centre(x), _centre(y)
    dx, dy = x - centre_x, y - centre_y

    def blur(image: Array) -> Array:
        return reduce(_blur, axes, image)

    mean_x, mean_y = blur(dx), blur(dy)
    covariance = blur(dx * dy) - mean_x * mean_y
    variances = blur(dx**2 + dy**2) - (mean_x**2 + mean_y**2)
    mean_x, mean_y = mean_x + centre_x, mean_y + centre_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * covariance + C2) / (variances + C2)
    return jnp.mean(luminance * structure, axis=(1, 2, 3))


def _pad(x: Array, axes: tuple[int, ...], border: Border) -> Array:
    if border == "valid":
        return x
    widths = [(RADIUS, RADIUS) if axis in axes else (0, 0) for axis in range(x.ndim)]
    return jnp.pad(x, widths, mode="constant" if border == "zero" else "edge")


def _centre(x: Array) -> Array:
    return lax.stop_gradient(jnp.mean(x, axis=(1, 2, 3), keepdims=True))


def _blur(x: Array, axis: int) -> Array:
    # A banded matrix product: its gradient is one more product, while that of a
    # convolution, or of eleven shifted sums, is tens of times slower on a CPU.
    size = x.shape[axis]
    taps = jnp.arange(size) - jnp.arange(size - 2 * RADIUS)[:, None]
    inside = (taps >= 0) & (taps <= 2 * RADIUS)
    gaussian = jnp.exp(-((taps - RADIUS) ** 2) / (2 * SIGMA**2)) / TOTAL
    band = jnp.where(inside, gaussian, 0.0).astype(x.dtype)
    blurred = jnp.tensordot(x, band, (axis, 1), precision=lax.Precision.HIGHEST)
    return jnp.moveaxis(blurred, -1, axis)
