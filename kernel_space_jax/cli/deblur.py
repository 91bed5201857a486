"""Verbs that look for blur in photos, and take it out."""

from pathlib import Path
from typing import Annotated, Any

import jax.numpy as jnp
import numpy as np
import typer
from rich.markup import escape

import kernel_space_jax as ks
from kernel_space_jax import images, weights
from kernel_space_jax.cli.app import app, out, result_paths
from kernel_space_jax.cli.trace import Trace
from kernel_space_jax.deblur import (
    METHODS,
    SEARCHES,
    SHIPPED,
    SOLVERS,
    TILE,
    check_kernel_size,
    check_method,
    deblur_all,
    find_solver,
    shipped,
)
from kernel_space_jax.drawing import draw_field, kernel_picture
from kernel_space_jax.operators import KernelField
from kernel_space_jax.operators.camera import GAMMA
from kernel_space_jax.solvers.search.presets import PRESETS, find_preset

Photos = Annotated[list[Path], typer.Argument(help="Blurry photos.")]
WEIGHTS_HELP = "Of a mender, judge or two-headed network; else the shipped mender."
# Of the basis page: the height of a mixing map, the least width, and the most kernels.
MAP_HEIGHT, PAGE_WIDTH, MOST_DRAWN = 60, 700, 30


@app.command()
def deblur(
    photos: Photos,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of results.")],
    method: Annotated[
        str, typer.Option(help=f"How blur is found: {', '.join(METHODS)}.")
    ] = METHODS[0],
    weight_file: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            help="auto, basis: of a mender or a judge; basis: of a two-headed network. "
            "kernel-space, nested: of a kernel space. The shipped ones by default.",
        ),
    ] = None,
    kernel_size: Annotated[
        int | None,
        typer.Option(help="The kernel's largest side; the best of several by default."),
    ] = None,
    preset: Annotated[
        str, typer.Option(help=f"Searches: their cost, {', '.join(PRESETS)}.")
    ] = "quick",
    vgg_file: Annotated[
        Path | None,
        typer.Option(
            "--vgg", help="kernel-space, nested: VGG19, for the published data term."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Searches: of their networks.")] = 0,
    solver: Annotated[
        str | None,
        typer.Option(
            help=f"basis: how x is found, {' or '.join(SOLVERS)}; by default as the "
            "weights have learned, or by half-quadratic."
        ),
    ] = None,
    gamma: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="Of the camera, 1 for linear photos; by default "
            f"{GAMMA}, but 1 of a grey photo unless for basis. Not for searches.",
        ),
    ] = None,
    saturation: Annotated[
        bool, typer.Option(help="basis: clipped pixels say only that they are bright.")
    ] = True,
    tile: Annotated[
        int, typer.Option(min=256, help="Larger photos are cut to this, and blended.")
    ] = TILE,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="Also write NAME_sheet.png: what was found.")
    ] = False,
    trace: Annotated[
        bool,
        typer.Option(
            "--trace", help="Searches: also write NAME_loss.png and NAME_frames.png."
        ),
    ] = False,
) -> None:
    """Take the blur out of photos: it is found in them, and undone.

    Photos of one size are searched together. Ctrl-C ends a search early and writes the
    best so far.
    """
    if solver is not None:
        find_solver(solver)
    find_preset(preset)
    network = weights.load(weight_file) if weight_file else shipped(method)
    check_method(method, network)
    if trace and method not in SEARCHES:
        raise ks.UserError(f"--trace shows a search; {method} is none")
    if gamma is not None and method in SEARCHES:
        raise ks.UserError(f"{method} takes a photo to be linear; leave --gamma out")
    if solver is not None and method != "basis":
        raise ks.UserError(f"--solver is for --method basis; {method} has its own")
    inputs = [ks.read(photo) for photo in photos]
    options: dict[str, Any] = {"tile": tile}
    if gamma is not None:
        options["gamma"] = gamma
    if method == "basis":
        options |= {"solver": solver, "saturates": saturation}
    else:
        options["kernel_size"] = kernel_size
        for photo in inputs:
            check_kernel_size(photo.pixels, kernel_size)
    if method in SEARCHES:
        options |= {"preset": preset, "seed": seed}
        options["vgg"] = weights.load(vgg_file) if vgg_file else None
    results, every = result_paths(photos, output), range(len(photos))
    together = _of_one_size(inputs) if method in SEARCHES else [[i] for i in every]
    for group in together:
        shown = Trace(keep=trace)
        heard: dict[str, Any] = {"tell": shown.tell}
        if method in SEARCHES:
            heard["watch"] = shown.watch
        stack = np.stack([inputs[i].pixels for i in group])
        with shown.bar:
            found = deblur_all(stack, method, weights=network, **options, **heard)
        for place, i in enumerate(group):
            ks.write(results[i], inputs[i]._replace(pixels=found[place].image))
            note = " (sharp already; --kernel-size N looks for a blur all the same)"
            note = note if found[place].sharp_already else ""
            out.print(escape(f"{results[i]}{note}"))
            if sheet:
                _write_sheet(results[i], inputs[i].pixels, found[place])
            loss = found[place].loss
            if trace and loss is not None:
                shown.write(results[i], place, loss)


def _of_one_size(inputs: list[ks.Photo]) -> list[list[int]]:
    """The numbers of the photos, those of one shape together."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for i, photo in enumerate(inputs):
        groups.setdefault(photo.pixels.shape, []).append(i)
    return list(groups.values())


def _write_sheet(path: Path, photo: np.ndarray, found: ks.Deblurred) -> None:
    pictures = {"photo": photo, "deblurred": found.image}
    if found.kernel is not None:
        pictures["kernel"] = kernel_picture(found.kernel)
    if found.drawn is not None:
        pictures["its kernels"] = found.drawn
    page = images.contact_sheet(list(pictures.values()), list(pictures))
    name = path.with_name(f"{path.stem}_sheet.png")
    ks.write(name, ks.Photo(page))
    out.print(escape(str(name)))


@app.command()
def kernels(
    photo: Annotated[Path, typer.Argument(help="A blurry photo.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture.")],
    weight_file: Annotated[Path, typer.Option("--weights", help=WEIGHTS_HELP)] = Path(
        SHIPPED["basis"]
    ),
    gamma: Annotated[
        float, typer.Option(min=0.1, help="Of the camera, 1 for linear photos.")
    ] = GAMMA,
) -> None:
    """Draw how each place of a photo was blurred, and write the field beside it.

    The picture shows the kernels over the photo, those that are used most, and where;
    all numbers are in a .npz of the same name: kernels (B, k, k) and masks (H, W, B).
    """
    images.check_suffix(output)
    network = weights.load(weight_file)
    pixels = ks.read(photo).pixels
    field = ks.find_field(pixels, network, gamma)
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
    """Kernels beside their mixing maps, the most used first: rows of `width` pixels.

    No more than `MOST_DRAWN`, and only those that are used.
    """
    h, m = np.asarray(field.kernels[0]), np.asarray(field.masks[0])
    step = -(-m.shape[0] // MAP_HEIGHT)
    m = m[::step, ::step]
    share = m.mean((0, 1))
    order = [b for b in np.argsort(-share) if share[b] > 0]
    cells = []
    for b in order[:MOST_DRAWN]:
        kernel = h[b][..., None] / h[b].max()
        cell = images.contact_sheet(
            [kernel, m[..., b : b + 1] / m[..., b].max()],
            [f"{share[b]:.0%}", "where"],
        )
        cells.append(cell)
    return images.flow(cells, max(width, PAGE_WIDTH))
