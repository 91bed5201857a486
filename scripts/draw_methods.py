"""Draws what methods made of some images of a run of `evaluate`, side by side.

    python scripts/draw_methods.py runs/faces pairs:data/drawn-pairs \\
        -o docs/pictures/faces.png --method map --method drawn-faces

A row an image: blurry, each method in the order given, truth.
"""

from pathlib import Path
from typing import Annotated

import typer

import kernel_space_jax as ks
from kernel_space_jax.datasets import open_source
from kernel_space_jax.sheets import contact_sheet


def main(
    run: Annotated[Path, typer.Argument(help="The folder of the run.")],
    pairs: Annotated[str, typer.Argument(help="The pairs that it scored, NAME:PATH.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture.")],
    method: Annotated[list[str], typer.Option(help="Give it again for more.")],
    count: Annotated[int, typer.Option(min=1, help="How many images.")] = 3,
) -> None:
    source, pictures, captions = open_source(pairs), [], []
    for number in range(min(count, len(source))):
        record = source[number]
        assert record.blurry is not None and record.sharp is not None
        made = (run / "images" / name / f"{record.name}.png" for name in method)
        shown = [record.blurry, *(ks.read(file).pixels for file in made), record.sharp]
        pictures += shown
        captions += ["blurry", *method, "truth"]
    sheet = contact_sheet(pictures, captions, columns=len(method) + 2)
    ks.write(output, ks.Photo(sheet))


if __name__ == "__main__":
    typer.run(main)
