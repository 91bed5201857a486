"""How alike two blur kernels are."""

import jax.numpy as jnp
from jax import Array


def kernel_similarity(h: Array, g: Array) -> Array:
    """max_s sum_p h[p] g[p + s] / |h| |g|: (N, a, b), (N, c, d) -> (N,) in [0, 1].

    The largest normalised cross-correlation over all shifts (Hu and Yang 2012), for
    kernels of any two sizes; zero where a kernel is zero.
    """
    size = tuple(a + b - 1 for a, b in zip(h.shape[1:], g.shape[1:], strict=True))
    spectrum = jnp.fft.rfft2(h, size) * jnp.conj(jnp.fft.rfft2(g, size))
    peak = jnp.max(jnp.fft.irfft2(spectrum, size), axis=(1, 2))
    norms = jnp.linalg.norm(h, axis=(1, 2)) * jnp.linalg.norm(g, axis=(1, 2))
    return jnp.where(norms > 0, peak / jnp.where(norms > 0, norms, 1), 0)
