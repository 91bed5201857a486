"""Draws what a run of `blur2blur` makes of photos: the picture of docs/protocols.

    python scripts/draw_blur2blur.py runs/blur2blur/seed-0 images:photos \\
        -o docs/pictures/blur2blur.jpg --kernel-size 15 --grain 4

The photos are blurred as the unknown camera of the run blurs: give what the run had.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from kernel_space_jax.experiments.arms import render
from kernel_space_jax.experiments.blur2blur import CONFIGS, draw_examples
from kernel_space_jax.training.config import load_config


def main(
    run: Annotated[Path, typer.Argument(help="The folder of one seed.")],
    photos: Annotated[str, typer.Argument(help="Sharp photos, NAME:PATH.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture.")],
    kernel_size: Annotated[int, typer.Option(help="Of the run.")] = 9,
    grain: Annotated[float, typer.Option(help="Of the run.")] = 1.0,
) -> None:
    words = f"--config.data.kernel_size={kernel_size} --config.data.grain="
    words += f"({grain},{grain})"
    config = load_config(CONFIGS["restorer"], words.split())
    with TemporaryDirectory() as folder:
        pairs = render(Path(folder), photos, "scene", config)
        draw_examples(output, run, pairs)


if __name__ == "__main__":
    typer.run(main)
