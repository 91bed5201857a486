"""Distances between what VGG19 sees of two images (Johnson et al. 2016)."""

from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array

# Tran et al. 2021.
LAYER_WEIGHTS = {
    "relu1_1": 0.2,
    "relu2_1": 0.4,
    "relu3_1": 0.8,
    "relu4_1": 1.0,
    "relu5_1": 3.0,
}


def perceptual(
    x: Mapping[str, Array],
    y: Mapping[str, Array],
    *,
    weights: Mapping[str, float] = LAYER_WEIGHTS,
) -> Array:
    """sum_l w_l mean |phi_l(x) - phi_l(y)| of two answers of `VGG19`."""
    terms = (w * jnp.mean(jnp.abs(x[l] - y[l])) for l, w in weights.items())
    return sum(terms, jnp.zeros(()))


def style(x: Mapping[str, Array], y: Mapping[str, Array]) -> Array:
    """sum_l mean |G_l(x) - G_l(y)|, G = f^T f / (H W C): what, not where.

    Takes two answers of `VGG19` with `layers=STYLE_LAYERS`.
    """
    terms = (jnp.mean(jnp.abs(_gram(x[l]) - _gram(y[l]))) for l in x)
    return sum(terms, jnp.zeros(()))


def _gram(features: Array) -> Array:
    n, h, w, c = features.shape
    flat = features.reshape(n, h * w, c)
    return flat.swapaxes(1, 2) @ flat / (h * w * c)
