"""Structural similarity (Wang et al. 2004), in the two forms that papers print."""

from functools import reduce
from typing import Literal

import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.metrics.psnr import crop_border
from kernel_space_jax.metrics.window import RADIUS, smooth

Border = Literal["valid", "zero", "edge"]

C1 = 0.01**2
C2 = 0.03**2


def ssim(x: Array, y: Array, *, crop: int = 0, border: Border = "valid") -> Array:
    """Mean over pixels and channels of the SSIM map: two (N, H, W, C) -> (N,).

    `border="valid"` is the form of BasicSR and scikit-image; `"edge"` on luma is the Y
    score of NAFNet, Restormer and Blur2Blur; `"zero"` is the usual training loss.
    """
    x, y = crop_border(x, crop), crop_border(y, crop)
    luminance, structure = similarity(x, y, border=border)
    return jnp.mean(luminance * structure, axis=(1, 2, 3))


def ssim_3d(x: Array, y: Array, *, crop: int = 0) -> Array:
    """SSIM whose window also runs across channels: two (N, H, W, C) -> (N,).

    The 11 x 11 x 11 window with replicated borders is the RGB score of NAFNet,
    Restormer and Blur2Blur: far above `ssim` on the same pair, not to be mixed.
    """
    x, y = crop_border(x, crop), crop_border(y, crop)
    luminance, structure = similarity(x, y, border="edge", across_channels=True)
    return jnp.mean(luminance * structure, axis=(1, 2, 3))


def similarity(
    x: Array, y: Array, *, border: Border = "valid", across_channels: bool = False
) -> tuple[Array, Array]:
    """Luminance and structure of each pixel, whose product is the SSIM map.

    (2 m_x m_y + C1) / (m_x^2 + m_y^2 + C1) and (2 c_xy + C2) / (v_x + v_y + C2):
    two (N, H, W, C) -> two (N, H - 10, W - 10, C) for `border="valid"`, else (N, H, W,
    C).
    """
    axes = (1, 2, 3) if across_channels else (2, 3)
    # Channels first, so that the window runs along contiguous memory.
    x, y = (_pad(jnp.moveaxis(image, -1, 1), axes, border) for image in (x, y))
    # E[x^2] - E[x]^2 cancels in float32 unless the images are centred first.
    centre_x, centre_y = _centre(x), _centre(y)
    dx, dy = x - centre_x, y - centre_y

    def mean(image: Array) -> Array:
        return reduce(smooth, reversed(axes), image)

    mean_x, mean_y = mean(dx), mean(dy)
    covariance = mean(dx * dy) - mean_x * mean_y
    variances = mean(dx**2 + dy**2) - (mean_x**2 + mean_y**2)
    mean_x, mean_y = mean_x + centre_x, mean_y + centre_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * covariance + C2) / (variances + C2)
    return jnp.moveaxis(luminance, 1, -1), jnp.moveaxis(structure, 1, -1)


def _pad(x: Array, axes: tuple[int, ...], border: Border) -> Array:
    if border == "valid":
        return x
    widths = [(RADIUS, RADIUS) if axis in axes else (0, 0) for axis in range(x.ndim)]
    return jnp.pad(x, widths, mode="constant" if border == "zero" else "edge")


def _centre(x: Array) -> Array:
    return lax.stop_gradient(jnp.mean(x, axis=(1, 2, 3), keepdims=True))
