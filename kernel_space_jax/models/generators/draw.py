"""Random images of a generator."""

from typing import Any

import jax
import jax.numpy as jnp
from flax.typing import VariableDict
from jax import Array

from kernel_space_jax.models.generators.fit import fitted
from kernel_space_jax.models.generators.generator import Generator


def draw(
    module: Generator,
    variables: VariableDict,
    keys: Array,
    mixed: float = 0.0,
    truncation: float = 1.0,
) -> Array:
    """Images (N, R, R, 3), about [-1, 1], one a key: z and noise ~ N(0, I).

    The part `mixed` of them has two styles: the first layers that of one z, the others
    that of another. With a truncation below 1 styles are nearer to their mean: the
    images are more alike, and fewer of them are odd.
    """
    maps, (layers, style) = module.noise_shapes(), module.latents

    def draws(key: Array) -> tuple[Array, Array, list[Array]]:
        of_z, of_cut, *of_maps = jax.random.split(key, 2 + len(maps))
        z = jax.random.normal(of_z, (2, style))
        chance, place = jax.random.uniform(of_cut, (2,))
        cut = 1 + (place * (layers - 1)).astype(jnp.int32)
        cut = jnp.where(chance < mixed, cut, layers)
        noise = [
            jax.random.normal(of_map, shape[1:])
            for of_map, shape in zip(of_maps, maps, strict=True)
        ]
        return z, jnp.arange(layers) < cut, noise

    z, first, noise = jax.vmap(draws)(keys)
    w: Any = module.apply(variables, z, method="mapped")
    if truncation < 1:
        average = fitted(module, variables).average
        w = average + truncation * (w - average)
    w = jnp.where(first[..., None], w[:, :1], w[:, 1:])
    image: Any = module.apply(variables, w, *noise)
    return image
