"""PSNR and SSIM after alignment, for pairs that two cameras or two moments took.

RealBlur (Rim et al. 2020) and RSBlur (2022) score so: z is scaled to the brightness of
x and warped onto it by the homography of greatest correlation, and only pixels that
both images have are counted.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.metrics.psnr import crop_border
from kernel_space_jax.metrics.registration import homography
from kernel_space_jax.metrics.ssim import similarity
from kernel_space_jax.metrics.warp import coordinates, inside, sample
from kernel_space_jax.metrics.window import RADIUS

GREY = (0.299, 0.587, 0.114)


class Aligned(NamedTuple):
    """x and the warped z (N, H, W, C), zero where the mask (N, H, W, 1) is."""

    x: Array
    z: Array
    mask: Array


def align(x: Array, z: Array) -> Aligned:
    """Scales and warps z onto x: two (N, H, W, C), C 1 or 3."""
    z = scale(x, z)
    matrices = homography(grey(x)[..., 0], grey(z)[..., 0]).matrix

    def warp(image_and_matrix: tuple[Array, Array]) -> tuple[Array, Array]:
        image, matrix = image_and_matrix
        rows, columns = coordinates(matrix, image.shape[:2])
        warped = sample(image, rows, columns, interpolation="cubic", border="reflect")
        return warped, inside(rows, columns, image.shape[:2])[..., None]

    warped, mask = lax.map(warp, (z, matrices))
    mask = mask.astype(x.dtype)
    return Aligned(x * mask, jnp.clip(warped, 0, 1) * mask, mask)


def aligned_psnr_ssim(x: Array, z: Array) -> tuple[Array, Array]:
    """PSNR and SSIM of z aligned to x: two (N, H, W, C) -> two (N,)."""
    aligned = align(x, z)
    overlap = jnp.sum(aligned.mask, axis=(1, 2, 3)) * x.shape[-1]
    error = jnp.sum((aligned.x - aligned.z) ** 2, axis=(1, 2, 3)) / overlap
    luminance, structure = similarity(aligned.x, aligned.z)
    inner = crop_border(aligned.mask, RADIUS)
    kept = jnp.sum(inner, axis=(1, 2, 3)) * x.shape[-1]
    total = jnp.sum(luminance * structure * inner, axis=(1, 2, 3))
    return -10 * jnp.log10(error), total / kept


def scale(x: Array, z: Array) -> Array:
    """z times sum xz / sum zz, the gain that brings it nearest to x: (N, H, W, C)."""
    axes = (1, 2, 3)
    gain = jnp.sum(x * z, axes, keepdims=True) / jnp.sum(z * z, axes, keepdims=True)
    return gain * z


def grey(x: Array) -> Array:
    """0.299 R + 0.587 G + 0.114 B: (N, H, W, 3) -> (N, H, W, 1); grey stays."""
    if x.shape[-1] == 1:
        return x
    return jnp.sum(x * jnp.array(GREY, x.dtype), axis=-1, keepdims=True)
