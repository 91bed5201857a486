"""Makes a folder of results by another program, to be scored beside ours.

    python scripts/prepare_outside.py levin:data/levin09 -o outside/levin

scikit-image's Richardson-Lucy, 30 steps, where a data set has kernels, elsewhere its
unsharp mask of radius 2: neither uses this package.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from skimage.filters import unsharp_mask
from skimage.restoration import richardson_lucy

import kernel_space_jax as ks
from kernel_space_jax.datasets import open_source

STEPS = 30
RADIUS = 2


def restore(y: np.ndarray, h: np.ndarray | None) -> np.ndarray:
    """(H, W, 3) in [0, 1] to the same."""
    if h is None:
        return unsharp_mask(y, radius=RADIUS, channel_axis=2)
    channels = [richardson_lucy(y[..., c], h, num_iter=STEPS) for c in range(3)]
    return np.stack(channels, axis=-1)


def main(
    data: str,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of results.")],
) -> None:
    for record in open_source(data):
        assert record.blurry is not None
        image = restore(record.blurry, record.extras.get("kernel"))
        ks.write(output / f"{record.name}.png", ks.Photo(image.astype(np.float32)))


if __name__ == "__main__":
    typer.run(main)
