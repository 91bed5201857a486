"""Draws y = F(x, k) with photos: each photo, what `deblur` makes of it, its kernels.

    python scripts/draw_equation.py demo/photos/astronaut.png demo/photos/coffee.png \\
        demo/photos/rocket.png -o docs/pictures/equation.jpg

Photos of `scripts/prepare_demo.py` get the credits of the file beside them.
"""

from pathlib import Path
from typing import Annotated

import jax.numpy as jnp
import numpy as np
import typer
from matplotlib.figure import Figure

import kernel_space_jax as ks
from kernel_space_jax.drawing import draw_grid, kernel_picture

# Of one image, in inches.
WIDTH, HEIGHT = 4.6, 3.9
HEADINGS = ("$y$, the blurry photo", "$x$, the sharp image", "$k$, the blur")


def main(
    photos: Annotated[list[Path], typer.Argument(help="Blurry photos.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture.")],
) -> None:
    size = 3 * WIDTH, HEIGHT * len(photos) + 0.9
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    figure.suptitle("$y \\; = \\; F(x, k)$", fontsize=26)
    axes = figure.subplots(len(photos), 3, squeeze=False)
    for row, path in zip(axes, photos, strict=True):
        y = ks.read(path).pixels
        found = ks.deblur(y)
        pictures = y, found.image, blur_picture(y, found)
        for axis, image in zip(row, pictures, strict=True):
            axis.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=1)
            axis.set_axis_off()
    for axis, heading in zip(axes[0], HEADINGS, strict=True):
        axis.set_title(heading, fontsize=17)
    figure.supxlabel(credits(photos), fontsize=10)
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output)


def blur_picture(y: np.ndarray, found: ks.Deblurred) -> np.ndarray:
    """The kernel of the whole photo, or those of its pixels where they act."""
    if found.grid is not None:
        drawn = draw_grid(jnp.asarray(found.grid)[None], jnp.asarray(y)[None])
        return np.asarray(drawn[0])
    assert found.kernel is not None
    return kernel_picture(found.kernel)


def credits(photos: list[Path]) -> str:
    """The lines of credits.txt that are about these photos."""
    lines = [
        line
        for file in dict.fromkeys(photo.parent / "credits.txt" for photo in photos)
        if file.exists()
        for line in file.read_text().splitlines()
    ]
    names = {photo.stem for photo in photos}
    return "     ".join(line for line in lines if line.split(":")[0] in names)


if __name__ == "__main__":
    typer.run(main)
