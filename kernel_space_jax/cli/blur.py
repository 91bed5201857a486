"""Verbs that move blur from one image to another."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.markup import escape

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.cli.app import WeightFile, app, out
from kernel_space_jax.cli.outputs import Overwrite, claim, pages_note, result_paths
from kernel_space_jax.cli.progress import Bar, numbered
from kernel_space_jax.drawing import kernel_picture
from kernel_space_jax.sheets import contact_sheet, stack
from kernel_space_jax.synthesis.transfer import DEFAULT_KERNEL_SIZE


@app.command()
def transfer(
    targets: Annotated[list[Path], typer.Argument(help="Images to blur.")],
    sharp: Annotated[Path, typer.Option(help="The sharp image of the pair.")],
    blurry: Annotated[Path, typer.Option(help="The blurry image of the pair.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of results.")],
    weight_file: WeightFile = None,
    kernel_size: Annotated[
        int | None,
        typer.Option(
            help="Without --weights: the side of the kernel that is looked for, an odd "
            f"number of pixels, by default {DEFAULT_KERNEL_SIZE}. Give more for a long "
            "blur."
        ),
    ] = None,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="Also write sheet.png, all on one page.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Put the blur between a sharp and a blurry image on other images.

    Without --weights the blur is taken to be one kernel for the whole image, found
    by least squares.
    """
    if weight_file and kernel_size is not None:
        raise ks.UserError(
            "--kernel-size is for a transfer without --weights; a kernel space has a "
            "size of its own"
        )
    size = DEFAULT_KERNEL_SIZE if kernel_size is None else kernel_size
    results = result_paths(targets, output)
    page_file = output / "sheet.png"
    named = [weight_file] if weight_file else []
    claim(
        [*results, *([page_file] if sheet else [])],
        [*targets, sharp, blurry, *named],
        overwrite=overwrite,
    )
    space = weights.load(weight_file) if weight_file else None
    x, y = ks.read(sharp), ks.read(blurry)
    photos = [ks.read(target) for target in targets]
    operator, k = ks.extract_blur(x.pixels, y.pixels, space, kernel_size=size)
    names = [target.name for target in targets]
    blurred = []
    with Bar("blurring") as bar:
        for i, photo in enumerate(photos):
            bar.start(numbered([i], names), photo.pixels.shape)
            blurred += ks.transfer(operator, k, [photo.pixels])
    for target, path, photo, pixels in zip(
        targets, results, photos, blurred, strict=True
    ):
        ks.write(path, photo._replace(pixels=pixels))
        out.print(escape(f"{path}{pages_note(target)}"))
    if sheet:
        pictures = {"sharp": x.pixels, "blurry": y.pixels}
        if space is None:
            h = np.asarray(k[0])
            pictures[f"kernel found ({len(h)} x {len(h)} pixels)"] = kernel_picture(h)
        captions, parts = [], []
        for name, photo, pixels in zip(names, photos, blurred, strict=True):
            captions += [name, "with that blur"]
            parts += [photo.pixels, pixels]
        pair = contact_sheet([*pictures.values()], [*pictures])
        page = stack([pair, contact_sheet(parts, captions)])
        ks.write(page_file, ks.Photo(page))
        out.print(escape(str(page_file)))
