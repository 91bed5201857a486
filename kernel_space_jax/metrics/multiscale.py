"""Multi-scale SSIM (Wang, Simoncelli and Bovik 2003)."""

import jax.numpy as jnp
from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.metrics.ssim import similarity

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# Four halvings must leave the window its 11 pixels.
SMALLEST_SIDE = 161


def ms_ssim(x: Array, y: Array) -> Array:
    """prod_s (mean structure_s)^w_s (mean SSIM_5)^w_5: two (N, H, W, C) -> (N,).

    Each of five scales is half the last, by means of 2 x 2 pixels; the last carries
    luminance too. The score of an image is the mean over its channels. A negative mean,
    where the formula has no real value, counts as zero.
    """
    if min(x.shape[1:3]) < SMALLEST_SIDE:
        raise UserError(
            f"multi-scale SSIM of {x.shape[2]}x{x.shape[1]} pixels has no fifth scale; "
            f"give images of at least {SMALLEST_SIDE} pixels a side"
        )
    score = jnp.ones((x.shape[0], x.shape[-1]))
    for scale, exponent in enumerate(EXPONENTS):
        luminance, structure = similarity(x, y)
        last = scale == len(EXPONENTS) - 1
        terms = luminance * structure if last else structure
        score *= jnp.maximum(jnp.mean(terms, axis=(1, 2)), 0) ** exponent
        if not last:
            x, y = _halve(x), _halve(y)
    return jnp.mean(score, axis=-1)


def _halve(x: Array) -> Array:
    """Means of 2 x 2 pixels; an odd side repeats its last: (N, H, W, C)."""
    n, h, w, c = x.shape
    x = jnp.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)), mode="edge")
    return jnp.mean(x.reshape(n, -(-h // 2), 2, -(-w // 2), 2, c), axis=(2, 4))
