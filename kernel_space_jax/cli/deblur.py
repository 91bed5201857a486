"""Verbs that look for blur in photos, and take it out."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import jax.numpy as jnp
import numpy as np
import typer
from rich.markup import escape
from rich.progress import Progress, TaskID

import kernel_space_jax as ks
from kernel_space_jax import images, weights
from kernel_space_jax.cli.app import app, err, out, result_paths
from kernel_space_jax.deblur import (
    KERNEL_SIZE,
    METHODS,
    SOLVERS,
    TILE,
    check_kernel_size,
    find_solver,
)
from kernel_space_jax.drawing import draw_field
from kernel_space_jax.operators import KernelField
from kernel_space_jax.operators.camera import GAMMA

Photos = Annotated[list[Path], typer.Argument(help="Blurry photos.")]
WEIGHTS_HELP = "A weight file of a two-headed network."
# Of the basis page: the height of a mixing map, and the least width.
MAP_HEIGHT, PAGE_WIDTH = 60, 700


@app.command()
def deblur(
    photos: Photos,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of results.")],
    method: Annotated[
        str, typer.Option(help="map: one kernel for all pixels. basis: one for each.")
    ] = METHODS[0],
    weight_file: Annotated[
        Path | None, typer.Option("--weights", help=f"basis: {WEIGHTS_HELP}")
    ] = None,
    solver: Annotated[
        str, typer.Option(help=f"basis: how x is found, {' or '.join(SOLVERS)}.")
    ] = "richardson-lucy",
    gamma: Annotated[
        float, typer.Option(min=0.1, help="basis: of the camera; 1 for linear photos.")
    ] = GAMMA,
    saturation: Annotated[
        bool, typer.Option(help="basis: clipped pixels say only that they are bright.")
    ] = True,
    kernel_size: Annotated[
        int, typer.Option(help="map: the kernel has at most these pixels a side.")
    ] = KERNEL_SIZE,
    tile: Annotated[
        int, typer.Option(min=256, help="Larger photos are cut to this, and blended.")
    ] = TILE,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="Also write NAME_sheet.png: what was found.")
    ] = False,
) -> None:
    """Take the blur out of photos: it is found in them, and undone."""
    if method not in METHODS:
        known = ", ".join(METHODS)
        raise ks.UserError(f"there is no method '{method}'; choose one of {known}")
    find_solver(solver)
    network = None
    if method == "basis":
        if weight_file is None:
            raise ks.UserError("the method basis needs --weights; none are shipped yet")
        network = weights.load(weight_file)
    inputs = [ks.read(photo) for photo in photos]
    if network is None:
        for photo in inputs:
            check_kernel_size(photo.pixels, kernel_size)
    results = result_paths(photos, output)
    with Progress(console=err, transient=True) as bar:
        for path, photo in zip(results, inputs, strict=True):
            task = bar.add_task(path.name, total=None)
            options: dict[str, Any] = {
                "tile": tile,
                "tell": partial(_advance, bar, task),
            }
            if network is None:
                found = ks.deblur_uniform(photo.pixels, kernel_size, **options)
            else:
                options |= {"solver": solver, "gamma": gamma, "saturates": saturation}
                found = ks.deblur(photo.pixels, network, **options)
            ks.write(path, photo._replace(pixels=found.image))
            out.print(escape(str(path)))
            if sheet:
                pictures = {"photo": photo.pixels, "deblurred": found.image}
                if found.kernel is not None:
                    pictures["kernel"] = found.kernel[..., None] / found.kernel.max()
                if network is not None:
                    field = ks.find_field(photo.pixels, network)
                    pictures["its kernels"] = _drawn(photo.pixels, field)
                page = images.contact_sheet(list(pictures.values()), list(pictures))
                name = path.with_name(f"{path.stem}_sheet.png")
                ks.write(name, ks.Photo(page))
                out.print(escape(str(name)))


def _advance(bar: Progress, task: TaskID, done: int, total: int) -> None:
    bar.update(task, completed=done, total=total)


@app.command()
def kernels(
    photo: Annotated[Path, typer.Argument(help="A blurry photo.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture.")],
    weight_file: Annotated[Path, typer.Option("--weights", help=WEIGHTS_HELP)],
) -> None:
    """Draw how each place of a photo was blurred, and write the field beside it.

    The picture shows the kernels over the photo, the basis and the mixing maps; the
    numbers are in a .npz of the same name: kernels (B, k, k) and masks (H, W, B).
    """
    images.check_suffix(output)
    network = weights.load(weight_file)
    pixels = ks.read(photo).pixels
    field = ks.find_field(pixels, network)
    drawn = _drawn(pixels, field)
    page = images.stack([drawn, _basis_page(field, drawn.shape[1])])
    ks.write(output, ks.Photo(page))
    numbers = output.with_suffix(".npz")
    np.savez_compressed(
        numbers,
        kernels=np.asarray(field.kernels[0]),
        masks=np.asarray(field.masks[0], np.float16),
    )
    out.print(f"{escape(str(output))}, {escape(str(numbers))}")


def _drawn(pixels: np.ndarray, field: KernelField) -> np.ndarray:
    return np.asarray(draw_field(field, jnp.asarray(pixels)[None])[0])


def _basis_page(field: KernelField, width: int) -> np.ndarray:
    """Each kernel over its mixing map, the most used first: rows of `width` pixels."""
    h, m = np.asarray(field.kernels[0]), np.asarray(field.masks[0])
    step = -(-m.shape[0] // MAP_HEIGHT)
    m = m[::step, ::step]
    order = np.argsort(-m.mean((0, 1)))
    cells = []
    for b in order:
        kernel = h[b][..., None] / h[b].max()
        share = images.contact_sheet(
            [kernel, m[..., b : b + 1] / m[..., b].max()],
            [f"{m[..., b].mean():.0%}", "where"],
        )
        cells.append(share)
    return images.flow(cells, max(width, PAGE_WIDTH))
