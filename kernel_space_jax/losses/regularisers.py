"""Penalties on the sharp image x and on the blur code k (Tran et al. 2021)."""

import jax.numpy as jnp
from jax import Array


def hyper_laplacian(x: Array, *, alpha: float = 0.66) -> Array:
    """mean (g_h^2 + g_w^2 + 1e-6)^(alpha/2), Sobel g of the channel sum: NHWC -> ()."""
    image = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    # Differences before sums: they are exact in flat regions, where g is near epsilon.
    columns = jnp.sum(image[:, :, 2:] - image[:, :, :-2], axis=-1)
    rows = jnp.sum(image[:, 2:] - image[:, :-2], axis=-1)
    g_w = columns[:, :-2] + 2 * columns[:, 1:-1] + columns[:, 2:]
    g_h = rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    return jnp.mean((g_h**2 + g_w**2 + 1e-6) ** (alpha / 2))


def code_norm(k: Array) -> Array:
    """sum_n ||k_n||_2 over the batch: (N, h, w, C) -> (); its gradient at 0 is 0."""
    squares = jnp.sum(k**2, axis=tuple(range(1, k.ndim)))
    # Two wheres: the gradient of sqrt at 0 is infinite, and 0 * inf would be NaN.
    zero = squares == 0
    return jnp.sum(jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, squares))))


def kl(mean: Array, sigma: Array, *, weight: float = 10.0) -> Array:
    """weight * sum (mean^2 + sigma^2 - log(1e-8 + sigma^2) - 1) over all axes."""
    variance = sigma**2
    return weight * jnp.sum(mean**2 + variance - jnp.log(1e-8 + variance) - 1.0)
