"""Scores of uniform blind deblurring (Levin et al. 2009, Ren et al. 2020, Lai 2016).

A blind method may shift image and kernel against each other, so each score is taken at
the shift that suits it best (`best_shift`).
"""

import jax.numpy as jnp
from jax import Array

from kernel_space_jax.metrics.colour import luma
from kernel_space_jax.metrics.psnr import psnr
from kernel_space_jax.metrics.shift import best_shift
from kernel_space_jax.metrics.ssim import ssim

# SelfDeblur's script crops less than Levin's.
SPECTRAL_CROP = 10


def levin_ssd(x: Array, z: Array) -> Array:
    """The smallest sum of squared differences over shifts: two (N, H, W, C) -> (N,)."""
    return best_shift(x, z).ssd


def shifted_psnr_ssim(x: Array, z: Array) -> tuple[Array, Array]:
    """PSNR and SSIM at the best shift, 15 pixels cropped: two (N, H, W, C) -> (N,)."""
    shifted = best_shift(x, z)
    return psnr(shifted.x, shifted.z), ssim(shifted.x, shifted.z)


def lai_psnr_ssim(x: Array, z: Array) -> tuple[Array, Array]:
    """`shifted_psnr_ssim` of the Y of YCbCr: two (N, H, W, 3) -> two (N,)."""
    return shifted_psnr_ssim(luma(x), luma(z))


def spectral_error(x: Array, z: Array) -> Array:
    """The largest singular value of z - x at the best shift: two (N, H, W, 1) -> (N,).

    What SelfDeblur's script divides where Levin's divides sums of squares; the crop is
    10 pixels.
    """
    shifted = best_shift(x, z, crop=SPECTRAL_CROP)
    difference = (shifted.z - shifted.x)[..., 0]
    return jnp.linalg.norm(difference, ord=2, axis=(1, 2))


def error_ratio(blind: Array, known: Array) -> Array:
    """SSD of a blind restoration over SSD with the known kernel: two (N,) -> (N,).

    Both restorations must come from one non-blind solver. Takes two `spectral_error`
    as well, which is another score under the same name: SSD is an energy, and this its
    square root in the worst direction.
    """
    return blind / known


def success(ratios: Array, limits: Array) -> Array:
    """The share of images with a ratio of at most each limit: (N,), (L,) -> (L,)."""
    return jnp.mean(ratios[None] <= limits[:, None], axis=1)
