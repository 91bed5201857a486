"""Draws images from a generator and blurs them: pairs that it could have made itself.

    python scripts/prepare_drawn.py faces.safetensors -o pairs/ --count 20

x is an image of random latents, y the same under a camera shake, with a little noise.
`pairs:` reads the result.
"""

from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import typer

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.models.generators import Generator, draw
from kernel_space_jax.synthesis import blur_uniform, shake_kernel


def main(
    generator: Annotated[Path, typer.Argument(help="A generator's weight file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of pairs.")],
    count: Annotated[int, typer.Option(min=1, help="How many pairs.")] = 20,
    kernel_size: Annotated[int, typer.Option(min=3, help="Of the shakes.")] = 9,
    noise: Annotated[
        float, typer.Option(min=0, help="Standard deviation of noise, white is 1.")
    ] = 0.01,
    truncation: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Below 1 images are more alike, and fewer of them odd."
        ),
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Other images.")] = 0,
) -> None:
    module, variables = weights.load(generator)
    if not isinstance(module, Generator):
        kind = type(module).__name__
        raise ks.UserError(f"{generator} holds a {kind}; give a generator")

    @jax.jit
    def pair(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        of_x, of_h, of_grain = jax.random.split(key, 3)
        drawn = draw(module, variables, of_x[None], truncation=truncation)[0]
        x = jnp.clip((drawn + 1) / 2, 0, 1)
        y = blur_uniform(x, shake_kernel(of_h, kernel_size))
        return x, y + noise * jax.random.normal(of_grain, y.shape)

    for number, key in enumerate(jax.random.split(jax.random.key(seed), count)):
        for kind, image in zip(("sharp", "blurry"), pair(key), strict=True):
            pixels = np.clip(np.asarray(image), 0, 1)
            ks.write(output / kind / f"{number:04d}.png", ks.Photo(pixels))


if __name__ == "__main__":
    typer.run(main)
