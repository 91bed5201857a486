"""Verbs that move blur from one image to another."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.markup import escape
from rich.progress import track

import kernel_space_jax as ks
from kernel_space_jax import images, weights
from kernel_space_jax.cli.app import WeightFile, app, err, out, result_paths
from kernel_space_jax.synthesis.transfer import DEFAULT_KERNEL_SIZE


@app.command()
def transfer(
    targets: Annotated[list[Path], typer.Argument(help="Images to blur.")],
    sharp: Annotated[Path, typer.Option(help="The sharp image of the pair.")],
    blurry: Annotated[Path, typer.Option(help="The blurry image of the pair.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of results.")],
    weight_file: WeightFile = None,
    kernel_size: Annotated[
        int, typer.Option(help="Without weights: pixels of the estimated kernel.")
    ] = DEFAULT_KERNEL_SIZE,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="Also write sheet.png, all on one page.")
    ] = False,
) -> None:
    """Put the blur between a sharp and a blurry image on other images.

    Without --weights the blur is taken to be one kernel for the whole image, found
    by least squares.
    """
    space = weights.load(weight_file) if weight_file else None
    x, y = ks.read(sharp), ks.read(blurry)
    photos = [ks.read(target) for target in targets]
    results = result_paths(targets, output, reserved="sheet.png" if sheet else None)
    operator, k = ks.extract_blur(x.pixels, y.pixels, space, kernel_size=kernel_size)
    blurred = list(
        track(
            ks.transfer(operator, k, (photo.pixels for photo in photos)),
            "blurring",
            len(photos),
            console=err,
            transient=True,
        )
    )
    for path, photo, pixels in zip(results, photos, blurred, strict=True):
        ks.write(path, photo._replace(pixels=pixels))
        out.print(f"{escape(str(path))}")
    if sheet:
        pictures = {"sharp": x.pixels, "blurry": y.pixels}
        if space is None:
            h = np.asarray(k[0])[..., None]
            pictures["kernel found"] = h / h.max()
        for photo, pixels in zip(photos, blurred, strict=True):
            pictures |= {"target": photo.pixels, "with that blur": pixels}
        path = output / "sheet.png"
        page = images.contact_sheet(list(pictures.values()), list(pictures))
        ks.write(path, ks.Photo(page))
        out.print(f"{escape(str(path))}")
