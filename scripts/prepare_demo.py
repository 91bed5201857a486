"""Makes the photos of `make demo` from those that scikit-image's package carries.

    python scripts/prepare_demo.py -o demo/photos

`clock` was blurred by a real motion of the camera, and is copied. The others are sharp;
each is blurred here as a camera would, in light, with noise. All are CC0 or in the public
domain; `credits.md` beside them names their photographers. No network is needed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import skimage
import typer
from jax import Array

import kernel_space_jax as ks
from kernel_space_jax.operators.camera import to_light, to_photo
from kernel_space_jax.synthesis import (
    add_noise,
    blur_rotation,
    blur_uniform,
    rotation_trajectory,
    shake_kernel,
)

PHOTOS = Path(skimage.__file__).parent / "data"
KERNEL_SIZE = 23
# The standard deviation of the noise, of light.
NOISE = 0.002
# The focal length of the turning camera, in widths of the photo.
FOCAL = 1.0


class Source(NamedTuple):
    """A photo of the package: its file, how it is blurred here, and whose it is."""

    file: str
    blur: Callable[[Array, Array], Array] | None
    credit: str


def shaken(key: Array, x: Array) -> Array:
    """y = (h * x^g)^(1/g): the camera moves as a whole, by one shake."""
    h = shake_kernel(key, KERNEL_SIZE, exposures=(1.0,))
    return to_photo(jnp.maximum(blur_uniform(to_light(x), h), 0))


def turned(key: Array, x: Array) -> Array:
    """The camera turns, so the blur differs from place to place."""
    size, focal = x.shape[:2], FOCAL * x.shape[1]
    angles = rotation_trajectory(key, size, focal, length=15.0, roll=2.0)
    return blur_rotation(x, angles, focal)


SOURCES = (
    Source("clock_motion.png", None, "clock: Stefan van der Walt, public domain"),
    Source("coffee.png", shaken, "coffee: Rachel Michetti, CC0"),
    Source("chelsea.png", shaken, "cat: Stefan van der Walt, CC0"),
    Source("astronaut.png", shaken, "astronaut: NASA, public domain"),
    Source("rocket.jpg", shaken, "rocket: SpaceX, public domain"),
    Source("camera.png", shaken, "photographer: Lav Varshney, CC0"),
)


def main(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of photos.")],
    seed: int = 0,
    turn: bool = False,
) -> None:
    for number, source in enumerate(SOURCES):
        photo = ks.read(PHOTOS / source.file)
        if source.blur:
            key, noise = jax.random.split(jax.random.key(seed + number))
            blur = turned if turn else source.blur
            y = blur(key, jnp.asarray(photo.pixels))
            y = add_noise(noise, to_light(y), photon=0, read=NOISE**2)
            photo = photo._replace(pixels=np.asarray(to_photo(jnp.clip(y, 0, 1))))
        ks.write(output / Path(source.file).with_suffix(".png"), photo)
    lines = "".join(f"- {source.credit}\n" for source in SOURCES)
    (output / "credits.md").write_text(lines)


if __name__ == "__main__":
    typer.run(main)
