"""Penalties on the image x, the blur code k (Tran et al. 2021), and on latents."""

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


def geocross(w: Array) -> Array:
    """How far apart the styles of an image's layers are, as angles.

    (N, L, S) -> (): sum_n of the mean over pairs of S (2 atan2(|u - v|, |u + v|))^2, by
    the number of sizes of the generator less 1 (PULSE, Menon et al. 2020).
    """
    u, v = w[:, :, None], w[:, None]
    # Finite gradients at u = v.
    norm = lambda d: jnp.sqrt(jnp.sum(jnp.square(d), -1) + 1e-9)
    angle = 2 * jnp.arctan2(norm(u - v), norm(u + v))
    sizes = w.shape[1] // 2
    return w.shape[2] * jnp.sum(jnp.mean(jnp.square(angle), (1, 2))) / (sizes - 1)
