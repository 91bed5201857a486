"""Makes the photos of `make demo` from those in the package of scikit-image.

    python scripts/prepare_demo.py -o demo/photos

A real camera motion blurred `clock`; it is made half as large. The other photos are
sharp, and get a simulated camera shake: y = (h * x^2.2 + noise)^(1/2.2). They are cut
to the size of the samples, so that the demo compiles its programs once. All are CC0 or
in the public domain; `credits.txt` names their photographers. The script needs no
network.
"""

from pathlib import Path
from typing import Annotated, NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import skimage
import typer

import kernel_space_jax as ks
from kernel_space_jax.operators.camera import to_light, to_photo
from kernel_space_jax.synthesis import add_noise, blur_uniform, shake_kernel

PHOTOS = Path(skimage.__file__).parent / "data"
KERNEL_SIZE = 17
HEIGHT, WIDTH = 256, 384
# Its standard deviation, in light.
NOISE = 0.002


class Source(NamedTuple):
    """A photo of scikit-image: our name for it, its file, its credit, its shake.

    `seed` draws the camera shake, chosen so that `deblur` finds one kernel for all of
    the photo; a photo without one is blurred already.
    """

    name: str
    file: str
    credit: str
    seed: int | None


SOURCES = (
    Source("astronaut", "astronaut.png", "NASA, public domain", 3),
    Source("coffee", "coffee.png", "Rachel Michetti (Pikolo Espresso Bar), CC0", 6),
    Source("clock", "clock_motion.png", "Stefan van der Walt, public domain", None),
)


def main(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of photos.")],
) -> None:
    for source in SOURCES:
        photo = ks.read(PHOTOS / source.file)
        height, width = photo.pixels.shape[:2]
        if source.seed is None:
            pixels = smaller(photo.pixels, width // 2, height // 2)
        else:
            x = smaller(photo.pixels, WIDTH, round(height * WIDTH / width))
            pixels = shaken(x[:HEIGHT], source.seed)
        photo = photo._replace(pixels=pixels)
        ks.write(output / f"{source.name}.png", photo)
    credits = "".join(f"{s.name}: {s.credit}, from scikit-image\n" for s in SOURCES)
    (output / "credits.txt").write_text(credits)


def smaller(x: np.ndarray, width: int, height: int) -> np.ndarray:
    """x (H, W, C) at another size; each pixel is the mean of those that it covers."""
    resized = cv2.resize(x, (width, height), interpolation=cv2.INTER_AREA)
    return resized.reshape(height, width, -1)


def shaken(x: np.ndarray, seed: int) -> np.ndarray:
    """The sharp photo x (H, W, C) under a camera shake."""
    shake, sensor = jax.random.split(jax.random.key(seed))
    h = shake_kernel(shake, KERNEL_SIZE, exposures=(1.0,))
    light = blur_uniform(to_light(jnp.asarray(x)), h)
    light = add_noise(sensor, light, photon=0, read=NOISE**2)
    return np.asarray(to_photo(jnp.clip(light, 0, 1)))


if __name__ == "__main__":
    typer.run(main)
