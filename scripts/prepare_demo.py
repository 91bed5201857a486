"""Makes the photos of `make demo` from those in the package of scikit-image.

    python scripts/prepare_demo.py -o demo/photos

One gets a simulated camera shake, in one only the cup moved, one stays sharp:

    y = (F(x^2.2, k) + noise)^(1/2.2),    k a kernel for each pixel

They are cut to the size of the samples, so that the demo compiles its programs once.
All are CC0 or in the public domain; `credits.txt` names their photographers. The script
needs no network.
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
from kernel_space_jax.synthesis import add_noise, shake_kernel
from kernel_space_jax.synthesis.scenes import blur_masks, blur_varying

PHOTOS = Path(skimage.__file__).parent / "data"
KERNEL_SIZE = 17
HEIGHT, WIDTH = 256, 384
# Its standard deviation, in light.
NOISE = 0.002


class Ellipse(NamedTuple):
    """What moves: its middle and half its width and height, in pixels."""

    left: float
    top: float
    width: float
    height: float


class Source(NamedTuple):
    """A photo of scikit-image: our name for it, its file, its credit, its blur.

    `seed` draws the shake of the camera, or of what moves; None is for a sharp photo.
    """

    name: str
    file: str
    credit: str
    seed: int | None
    moves: Ellipse | None = None


SOURCES = (
    Source("astronaut", "astronaut.png", "NASA, public domain", 3),
    Source(
        "coffee",
        "coffee.png",
        "Rachel Michetti (Pikolo Espresso Bar), CC0",
        1,
        Ellipse(190, 128, 120, 100),
    ),
    Source("rocket", "rocket.jpg", "SpaceX, CC0", None),
)


def main(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of photos.")],
) -> None:
    for source in SOURCES:
        photo = ks.read(PHOTOS / source.file)
        height, width = photo.pixels.shape[:2]
        height = max(HEIGHT, round(height * WIDTH / width))
        x = smaller(photo.pixels, WIDTH, height)[:HEIGHT]
        y = x if source.seed is None else blurry(x, source.seed, source.moves)
        ks.write(output / f"{source.name}.png", photo._replace(pixels=y))
    credits = "".join(f"{s.name}: {s.credit}, from scikit-image\n" for s in SOURCES)
    (output / "credits.txt").write_text(credits)


def smaller(x: np.ndarray, width: int, height: int) -> np.ndarray:
    """x (H, W, C) at another size; each pixel is the mean of those that it covers."""
    resized = cv2.resize(x, (width, height), interpolation=cv2.INTER_AREA)
    return resized.reshape(height, width, -1)


def blurry(x: np.ndarray, seed: int, moves: Ellipse | None) -> np.ndarray:
    """The sharp photo x (H, W, C) with all of it, or what `moves`, under a shake."""
    shake, sensor = jax.random.split(jax.random.key(seed))
    h = shake_kernel(shake, KERNEL_SIZE, exposures=(1.0,))
    middle = KERNEL_SIZE // 2
    still = jnp.zeros_like(h).at[middle, middle].set(1)
    inside = jnp.ones(x.shape[:2]) if moves is None else within(moves)
    kernels = jnp.stack([still, h])
    masks = blur_masks(jnp.stack([1 - inside, inside], -1), kernels)
    light = blur_varying(to_light(jnp.asarray(x)), kernels, masks)
    light = add_noise(sensor, light, photon=0, read=NOISE**2)
    return np.asarray(to_photo(jnp.clip(light, 0, 1)))


def within(place: Ellipse) -> jax.Array:
    """1 inside, 0 outside: (HEIGHT, WIDTH)."""
    row, column = jnp.mgrid[:HEIGHT, :WIDTH]
    across = (column - place.left) / place.width
    down = (row - place.top) / place.height
    return jnp.where(across**2 + down**2 < 1, 1.0, 0.0)


if __name__ == "__main__":
    typer.run(main)
