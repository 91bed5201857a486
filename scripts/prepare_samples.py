"""Makes data/samples: dead leaves, some under a camera shake, some moving apart.

    python scripts/prepare_samples.py

Everything is drawn from fixed seeds by `kernel_space_jax.synthesis`.
"""

from functools import partial
from pathlib import Path

import jax
import numpy as np

import kernel_space_jax as ks
from kernel_space_jax.operators.camera import to_light, to_photo
from kernel_space_jax.synthesis import (
    add_noise,
    blur_uniform,
    dead_leaves,
    scene,
    shake_kernel,
)

FOLDER = Path(__file__).parent.parent / "data" / "samples"
HEIGHT, WIDTH = 256, 384
KERNEL_SIZE = 23
NOISE = 0.002


def main() -> None:
    """Writes the six pictures."""
    margin = KERNEL_SIZE // 2
    wide = dead_leaves(jax.random.key(1), (HEIGHT + 2 * margin, WIDTH + 2 * margin))
    h = shake_kernel(jax.random.key(11), KERNEL_SIZE, exposures=(1.0,))
    grainy = partial(add_noise, jax.random.key(4), photon=0, read=NOISE**2)
    blurry = grainy(blur_uniform(wide, h))
    shaken = grainy(to_photo(blur_uniform(to_light(wide), h)))
    inside = slice(margin, -margin), slice(margin, -margin)
    other = dead_leaves(jax.random.key(2), (HEIGHT, WIDTH), smallest=8, texture=0.05)
    still = dead_leaves(jax.random.key(5), (HEIGHT, WIDTH), smallest=3, texture=0.05)
    moving = scene(jax.random.key(8), still, objects=2, brightness=0.0)
    for name, image in (
        ("leaves_sharp", wide[inside]),
        ("leaves_blurry", blurry[inside]),
        ("leaves_shaken", shaken[inside]),
        ("shapes_sharp", other),
        ("moving_sharp", still),
        ("moving_blurry", moving.y),
    ):
        ks.write(FOLDER / f"{name}.png", ks.Photo(np.asarray(image)))


if __name__ == "__main__":
    main()
