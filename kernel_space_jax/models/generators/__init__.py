"""Generators: networks that draw images of one kind, such as faces, from latents.

w = map(z)                 style vectors of z ~ N(0, I)
x = G(w_1, ..., w_L, n)    an image of one style for each layer, and noise maps n
"""

from kernel_space_jax.models.generators.draw import draw
from kernel_space_jax.models.generators.fit import fitted, with_fit
from kernel_space_jax.models.generators.generator import Generator
from kernel_space_jax.models.generators.stylegan import StyleGAN
from kernel_space_jax.models.generators.stylegan2 import StyleGAN2

GENERATORS: dict[str, type[Generator]] = {"stylegan": StyleGAN, "stylegan2": StyleGAN2}

__all__ = [
    "GENERATORS",
    "Generator",
    "StyleGAN",
    "StyleGAN2",
    "draw",
    "fitted",
    "with_fit",
]
