"""Distances between what a VGG sees of two images (Johnson et al. 2016)."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernel_space_jax.models.vgg import (
    CONTENT_LAYERS,
    TRANSLATION_LAYERS,
    VGG,
    VGG16,
    VGG19,
    normalised,
)

See = Callable[[Array], Mapping[str, Array]]  # images (N, H, W, 3) -> activations

# Tran et al. 2021.
LAYER_WEIGHTS = {
    "relu1_1": 0.2,
    "relu2_1": 0.4,
    "relu3_1": 0.8,
    "relu4_1": 1.0,
    "relu5_1": 3.0,
}
# Pham et al. 2024, of VGG16.
TRANSLATION_WEIGHTS: dict[str, float] = dict(
    zip(TRANSLATION_LAYERS, (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0), strict=True)
)


def perceptual(
    x: Mapping[str, Array],
    y: Mapping[str, Array],
    *,
    weights: Mapping[str, float] = LAYER_WEIGHTS,
) -> Array:
    """sum_l w_l mean |phi_l(x) - phi_l(y)| of two answers of a VGG."""
    terms = (w * jnp.mean(jnp.abs(x[l] - y[l])) for l, w in weights.items())
    return sum(terms, jnp.zeros(()))


def content(x: Mapping[str, Array], y: Mapping[str, Array]) -> Array:
    """sum_l mean (phi_l(x) - phi_l(y))^2 of two answers of `VGG19`.

    DeblurGAN's content loss (Kupyn et al. 2018) with `layers=CONTENT_LAYERS`, of images
    in [-1, 1] as they are. The authors weigh it by 100.
    """
    return sum((jnp.mean((x[l] - y[l]) ** 2) for l in x), jnp.zeros(()))


def content_and_colours(
    see: See,
    x: Array,
    y: Array,
    *,
    first_only: bool = False,
) -> Array:
    """0.006 content(see(x), see(y)) + 0.5 mean (x - y)^2 (Kupyn et al. 2019).

    Takes images (N, H, W, 3) in [0, 1]; both terms are of images normalised for `see`,
    a `VGG19` with `layers=CONTENT_LAYERS`. The authors' program normalises the first
    image of a batch only: `first_only` repeats that.
    """
    x, y = (
        jnp.concatenate([normalised(z[:1]), z[1:]]) if first_only else normalised(z)
        for z in (x, y)
    )
    return 0.006 * content(see(x), see(y)) + 0.5 * jnp.mean((x - y) ** 2)


def style(x: Mapping[str, Array], y: Mapping[str, Array]) -> Array:
    """sum_l mean |G_l(x) - G_l(y)|, G = f^T f / (H W C): what, not where.

    Takes two answers of `VGG19` with `layers=STYLE_LAYERS`.
    """
    terms = (jnp.mean(jnp.abs(_gram(x[l]) - _gram(y[l]))) for l in x)
    return sum(terms, jnp.zeros(()))


class Seen(NamedTuple):
    """A loss of restorers by what a VGG sees."""

    vgg: type[VGG]
    layers: tuple[str, ...]
    loss: Callable[[See, Array, Array], Array]  # of two (N, H, W, 3) in [0, 1] -> ()


# Those that papers train restorers with, by name.
SEEN: dict[str, Seen] = {
    "content": Seen(
        VGG19,
        CONTENT_LAYERS,
        lambda see, x, y: content(see(2 * x - 1), see(2 * y - 1)),
    ),
    "content_and_colours": Seen(VGG19, CONTENT_LAYERS, content_and_colours),
    "translation": Seen(
        VGG16,
        TRANSLATION_LAYERS,
        lambda see, x, y: perceptual(see(x), see(y), weights=TRANSLATION_WEIGHTS),
    ),
}


def _gram(features: Array) -> Array:
    n, h, w, c = features.shape
    flat = features.reshape(n, h * w, c)
    return flat.swapaxes(1, 2) @ flat / (h * w * c)
