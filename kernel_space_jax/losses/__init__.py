"""Terms of the objectives: each a scalar, with a finite gradient everywhere."""

from kernel_space_jax.losses.per_pixel import (
    closest_mixture,
    kernel_error,
    reblur,
    region_weights,
    start_error,
)
from kernel_space_jax.losses.perceptual import (
    content,
    content_and_colours,
    perceptual,
    style,
)
from kernel_space_jax.losses.pixel import charbonnier, structural
from kernel_space_jax.losses.regularisers import code_norm, hyper_laplacian, kl

__all__ = [
    "charbonnier",
    "closest_mixture",
    "code_norm",
    "content",
    "content_and_colours",
    "hyper_laplacian",
    "kernel_error",
    "kl",
    "perceptual",
    "reblur",
    "region_weights",
    "start_error",
    "structural",
    "style",
]
