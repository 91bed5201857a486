"""Generators: networks that draw images of one kind, such as faces, from latents.

w = map(z)                 style vectors of z ~ N(0, I)
x = G(w_1, ..., w_L, n)    an image of one style for each layer, and noise maps n
"""

import flax.linen as nn

from kernel_space_jax.models.generators.draw import draw
from kernel_space_jax.models.generators.stylegan2 import StyleGAN2

GENERATORS: dict[str, type[nn.Module]] = {"stylegan2": StyleGAN2}

__all__ = ["GENERATORS", "StyleGAN2", "draw"]
