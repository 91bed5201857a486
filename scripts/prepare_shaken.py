"""Puts a camera shake on images: pairs for `pairs:`, small enough for a generator.

    python scripts/prepare_shaken.py drawn-faces -o pairs --count 20
    python scripts/prepare_shaken.py images:faces -o pairs --count 20

x is an image that a generator draws from random latents, or a sharp image of a data
set, and y = h * x + noise under a shake h of its own.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import typer

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.datasets import open_source
from kernel_space_jax.models.generators import Generator, draw
from kernel_space_jax.synthesis import blur_uniform, shake_kernel


def main(
    source: Annotated[
        str, typer.Argument(help="A generator's weights, or images as NAME:PATH.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of pairs.")],
    count: Annotated[int, typer.Option(min=1, help="How many pairs.")] = 20,
    kernel_size: Annotated[int, typer.Option(min=3, help="Of the shakes.")] = 9,
    noise: Annotated[
        float, typer.Option(min=0, help="Standard deviation of noise, white is 1.")
    ] = 0.01,
    truncation: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Below 1 a generator's images are more alike, fewer odd."
        ),
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Other images and shakes.")] = 0,
) -> None:
    image = _images(source) if ":" in source else _drawn(source, truncation)

    @jax.jit
    def blurred(key: jax.Array, x: jax.Array) -> jax.Array:
        of_h, of_grain = jax.random.split(key)
        y = blur_uniform(x, shake_kernel(of_h, kernel_size))
        return y + noise * jax.random.normal(of_grain, y.shape)

    for number, key in enumerate(jax.random.split(jax.random.key(seed), count)):
        of_x, of_y = jax.random.split(key)
        x = image(number, of_x)
        for kind, made in (("sharp", x), ("blurry", blurred(of_y, jnp.asarray(x)))):
            pixels = np.clip(np.asarray(made), 0, 1)
            ks.write(output / kind / f"{number:04d}.png", ks.Photo(pixels))


def _drawn(file: str, truncation: float) -> Callable[[int, jax.Array], np.ndarray]:
    module, variables = weights.load(file)
    if not isinstance(module, Generator):
        kind = type(module).__name__
        raise ks.UserError(f"{file} holds a {kind}; give a generator")

    @jax.jit
    def one(key: jax.Array) -> jax.Array:
        x = draw(module, variables, key[None], truncation=truncation)[0]
        return jnp.clip((x + 1) / 2, 0, 1)

    return lambda number, key: np.asarray(one(key))


def _images(spec: str) -> Callable[[int, jax.Array], np.ndarray]:
    found = open_source(spec)

    def one(number: int, key: jax.Array) -> np.ndarray:
        x = found[number % len(found)].sharp
        assert x is not None
        return x

    return one


if __name__ == "__main__":
    typer.run(main)
