"""Scores of a predicted sequence of frames, whose direction in time is unknown.

One blurry image may become the frames of a short film, forwards or backwards (HyperCUT,
Pham et al. 2023, prints both names): the direction of the larger mean counts.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.metrics.psnr import psnr
from kernel_space_jax.metrics.ssim import ssim


def p_psnr(x: Array, z: Array) -> Array:
    """pPSNR: PSNR of each frame, averaged; two (N, T, H, W, C) -> (N,)."""
    return _of_better_direction(psnr, x, z)


def p_ssim(x: Array, z: Array) -> Array:
    """pSSIM: SSIM of each frame, averaged; two (N, T, H, W, C) -> (N,)."""
    return _of_better_direction(ssim, x, z)


def _of_better_direction(
    score: Callable[[Array, Array], Array], x: Array, z: Array
) -> Array:
    mean = jax.vmap(lambda x, z: jnp.mean(score(x, z)))
    return jnp.maximum(mean(x, z), mean(x, z[:, ::-1]))
