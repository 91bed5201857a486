"""Scores of one image against another: NHWC in [0, 1], one value an image."""

from kernel_space_jax.metrics.colour import luma
from kernel_space_jax.metrics.psnr import psnr
from kernel_space_jax.metrics.ssim import ssim, ssim_3d

__all__ = ["luma", "psnr", "ssim", "ssim_3d"]
