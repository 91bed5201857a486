"""Makes data/samples: dead-leaves pictures, and one of them under a camera shake.

    python scripts/prepare_samples.py

Everything is drawn from fixed seeds by `kernel_space_jax.synthesis`.
"""

from pathlib import Path

import jax
import numpy as np

import kernel_space_jax as ks
from kernel_space_jax.synthesis import (
    add_noise,
    blur_uniform,
    dead_leaves,
    shake_kernel,
)

FOLDER = Path(__file__).parent.parent / "data" / "samples"
HEIGHT, WIDTH = 256, 384
KERNEL_SIZE = 23
NOISE = 0.002


def main() -> None:
    """Writes the three pictures."""
    margin = KERNEL_SIZE // 2
    wide = dead_leaves(jax.random.key(1), (HEIGHT + 2 * margin, WIDTH + 2 * margin))
    h = shake_kernel(jax.random.key(11), KERNEL_SIZE, exposures=(1.0,))
    blurry = add_noise(
        jax.random.key(4), blur_uniform(wide, h), photon=0, read=NOISE**2
    )
    inside = slice(margin, -margin), slice(margin, -margin)
    other = dead_leaves(jax.random.key(2), (HEIGHT, WIDTH), smallest=8, texture=0.05)
    for name, image in (
        ("leaves_sharp", wide[inside]),
        ("leaves_blurry", blurry[inside]),
        ("shapes_sharp", other),
    ):
        ks.write(FOLDER / f"{name}.png", ks.Photo(np.asarray(image)))


if __name__ == "__main__":
    main()
