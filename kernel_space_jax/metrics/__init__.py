"""Scores of one image against another: NHWC in [0, 1], one value an image."""

from kernel_space_jax.metrics.aligned import align, aligned_psnr_ssim
from kernel_space_jax.metrics.colour import luma
from kernel_space_jax.metrics.kernel import kernel_similarity
from kernel_space_jax.metrics.kohler import kohler, kohler_frame_scores, kohler_frames
from kernel_space_jax.metrics.levin import (
    error_ratio,
    lai_psnr_ssim,
    levin_ssd,
    shifted_psnr_ssim,
    spectral_error,
    success,
)
from kernel_space_jax.metrics.lpips import lpips
from kernel_space_jax.metrics.multiscale import ms_ssim
from kernel_space_jax.metrics.psnr import psnr
from kernel_space_jax.metrics.registration import homography
from kernel_space_jax.metrics.sequence import p_psnr, p_ssim
from kernel_space_jax.metrics.shift import best_shift
from kernel_space_jax.metrics.ssim import ssim, ssim_3d

__all__ = [
    "align",
    "aligned_psnr_ssim",
    "best_shift",
    "error_ratio",
    "homography",
    "kernel_similarity",
    "kohler",
    "kohler_frame_scores",
    "kohler_frames",
    "lai_psnr_ssim",
    "levin_ssd",
    "lpips",
    "luma",
    "ms_ssim",
    "p_psnr",
    "p_ssim",
    "psnr",
    "shifted_psnr_ssim",
    "spectral_error",
    "ssim",
    "ssim_3d",
    "success",
]
