"""Distances between two images."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.metrics.ssim import ssim


def charbonnier(x: Array, y: Array, *, epsilon: float = 1e-6) -> Array:
    """rho(x, y) = sum sqrt((x - y)^2 + epsilon) over all axes (Tran et al. 2021)."""
    return jnp.sum(jnp.sqrt((x - y) ** 2 + epsilon))


def psnr_loss(x: Array, y: Array, *, epsilon: float = 1e-8) -> Array:
    """-PSNR: mean_n 10 log10(mean (x_n - y_n)^2 + epsilon), (N, H, W, C) (NAFNet)."""
    error = jnp.mean(jnp.square(x - y), (1, 2, 3))
    return jnp.mean(10 * jnp.log10(error + epsilon))


def structural(x: Array, y: Array) -> Array:
    """1 - mean SSIM(x, y) with zero borders: two (N, H, W, C) -> (), as JointDeblur."""
    return 1.0 - jnp.mean(ssim(x, y, border="zero"))


def frequency(x: Array, y: Array) -> Array:
    """mean |Re f| and |Im f|, f = FFT(x) - FFT(y) of each channel (Cho et al. 2021).

    Two (N, H, W, C) -> (). The transform is not normalised: f grows with the image.
    """
    f = jnp.fft.fft2(x - y, axes=(1, 2))
    return (jnp.mean(jnp.abs(f.real)) + jnp.mean(jnp.abs(f.imag))) / 2


def edges(x: Array, y: Array, *, scales: int = 3) -> Array:
    """(1/S) sum_s mean |grad d_s|, d_s the means of x - y over 2^s x 2^s pixels, s < S.

    Two (N, H, W, C) -> (). Differences between neighbours in rows and in columns, after
    the image gradient difference loss (Mathieu et al., ICLR 2016). It stands in for a
    perceptual loss where no weights of VGG are at hand; colours are left to another.
    """
    d, terms = x - y, []
    for scale in range(scales):
        if scale:
            d = nn.avg_pool(d, (2, 2), (2, 2))
        terms += [jnp.mean(jnp.abs(jnp.diff(d, axis=axis))) for axis in (1, 2)]
    return sum(terms, jnp.zeros(())) / scales


# The losses of restorers by name: means over pixels and images.
RESTORATION: dict[str, Callable[[Array, Array], Array]] = {
    "charbonnier": lambda x, y: charbonnier(x, y) / x.size,
    "l1": lambda x, y: jnp.mean(jnp.abs(x - y)),
    "l2": lambda x, y: jnp.mean(jnp.square(x - y)),
    "psnr": psnr_loss,
    "frequency": frequency,
    "edges": edges,
}
