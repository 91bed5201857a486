"""Terms of the objectives: each a scalar, with a finite gradient everywhere."""

from kernel_space_jax.losses.adversarial import (
    ADVERSARIAL,
    RELATIVISTIC,
    Adversarial,
    Relativistic,
    Rivals,
    clip_weights,
    gradient_penalty,
    mixture,
    over_answers,
    pixel_gradient_penalty,
    real_gradient_penalty,
    rivals,
)
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
from kernel_space_jax.losses.pools import ImagePool, exchange, image_pool
from kernel_space_jax.losses.regularisers import code_norm, hyper_laplacian, kl

__all__ = [
    "ADVERSARIAL",
    "RELATIVISTIC",
    "Adversarial",
    "ImagePool",
    "Relativistic",
    "Rivals",
    "charbonnier",
    "clip_weights",
    "closest_mixture",
    "code_norm",
    "content",
    "content_and_colours",
    "exchange",
    "gradient_penalty",
    "hyper_laplacian",
    "image_pool",
    "kernel_error",
    "kl",
    "mixture",
    "over_answers",
    "perceptual",
    "pixel_gradient_penalty",
    "real_gradient_penalty",
    "reblur",
    "region_weights",
    "rivals",
    "start_error",
    "structural",
    "style",
]
