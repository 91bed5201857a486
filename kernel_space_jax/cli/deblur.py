"""Verbs that look for blur in photos, and take it out."""

import inspect
from collections.abc import Callable
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
from kernel_space_jax.deblur import Method, Option, deblur_all, methods, of_one_size
from kernel_space_jax.drawing import draw_field, draw_grid, kernel_picture
from kernel_space_jax.operators import KernelField
from kernel_space_jax.operators.camera import GAMMA

Photos = Annotated[list[Path], typer.Argument(help="Blurry photos.")]
# Of the basis page: the height of a mixing map, the least width, and the most kernels.
MAP_HEIGHT, PAGE_WIDTH, MOST_DRAWN = 60, 700, 30
# The types of options that can be typed, and what is typed for them.
TYPED = {int: int, float: float, str: str, bool: bool, ks.Weights: Path}


def _with_options(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with a parameter for each option of a method, None where not given."""
    signature = inspect.signature(verb, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    more = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                TYPED[option.kind] | None,
                typer.Option(option.flags, help=_help(name)),
            ],
        )
        for name, option in _typed().items()
    ]
    verb.__signature__ = signature.replace(parameters=own + more)  # type: ignore[attr-defined]
    return verb


def _typed() -> dict[str, Option]:
    """The options of all methods that the command line has, by name."""
    return {
        option.name: option
        for row in methods.table().values()
        for option in row.options
        if option.kind in TYPED
    }


def _help(name: str) -> str:
    """What an option is, its default, and which methods have it."""
    says: dict[str, list[str]] = {}
    defaults: dict[Any, list[str]] = {}
    for row in methods.with_option(name):
        option = row.option(name)
        says.setdefault(option.help, []).append(row.name)
        if option.default is not None and option.kind is not bool:
            defaults.setdefault(option.default, []).append(row.name)
    parts = [f"{', '.join(rows)}: {text}" for text, rows in says.items()]
    if len(says) == 1 and defaults:
        usual = max(defaults, key=lambda default: len(defaults[default]))
        others = [f"{d} for {', '.join(r)}" for d, r in defaults.items() if d != usual]
        parts.append(f"By default {'; '.join([str(usual), *others])}.")
    return " ".join(parts)


def _methods_help() -> str:
    rows = methods.table().values()
    return "; ".join(f"{row.name}: {row.says}" for row in rows) + "."


def _weights_help(*names: str) -> str:
    """The weights that these methods take, or all methods."""
    wanted: dict[str, list[str]] = {}
    rows = [methods.find_method(name) for name in names or methods.table()]
    for row in rows:
        if row.networks:
            kinds = " or ".join(kind.__name__ for kind in row.networks)
            ships = f", by default the shipped {row.ships}" if row.ships else ""
            wanted.setdefault(f"of a {kinds}{ships}", []).append(row.name)
    return "; ".join(f"{', '.join(names)}: {of}" for of, names in wanted.items()) + "."


@app.command()
@_with_options
def deblur(
    photos: Photos,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of results.")],
    method: Annotated[
        str, typer.Option(help=f"How blur is taken out. {_methods_help()}")
    ] = methods.DEFAULT,
    weight_file: Annotated[
        Path | None, typer.Option("--weights", help=f"A weight file. {_weights_help()}")
    ] = None,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="Also write NAME_sheet.png: what was found.")
    ] = False,
    trace: Annotated[
        bool,
        typer.Option(
            "--trace", help="Searches: also write NAME_loss.png and NAME_frames.png."
        ),
    ] = False,
    **options: Any,
) -> None:
    """Take the blur out of photos.

    Searches and networks take photos of one size together. Ctrl-C ends a search early
    and writes the best so far.
    """
    row = methods.find_method(method)
    given = {name: value for name, value in options.items() if value is not None}
    methods.refuse_lacking(row, given, flags=True)
    watched = row.has("watch")
    if trace and not watched:
        raise ks.UserError(f"--trace shows a search; {method} is none")
    network = weights.load(weight_file) if weight_file else None
    network = methods.network_of(row, network)
    for name, value in given.items():
        if row.option(name).kind is ks.Weights:
            given[name] = weights.load(value)
    inputs = [ks.read(photo) for photo in photos]
    for photo in inputs:
        methods.settle(row, given, photo.pixels.shape)
    results = result_paths(photos, output)
    alone = [[i] for i in range(len(inputs))]
    sized = of_one_size([photo.pixels for photo in inputs])
    for group in sized if row.together else alone:
        shown = Trace(keep=trace)
        heard: dict[str, Any] = {"watch": shown.watch} if watched else {}
        stack = [inputs[i].pixels for i in group]
        with shown.bar:
            found = deblur_all(
                stack, method, weights=network, tell=shown.tell, **given, **heard
            )
        for place, i in enumerate(group):
            ks.write(results[i], inputs[i]._replace(pixels=found[place].image))
            out.print(escape(f"{results[i]} ({_note(found[place], row)})"))
            if sheet:
                _write_sheet(results[i], inputs[i].pixels, found[place])
            loss = found[place].loss
            if trace and loss is not None:
                shown.write(results[i], place, loss)


def _note(found: ks.Deblurred, row: Method) -> str:
    """What was done to a photo, and what else could be."""
    if found.nothing_found and row.has("kernel_size"):
        return f"{found.summary}; --kernel-size N looks for one all the same"
    return found.summary


def _write_sheet(path: Path, photo: np.ndarray, found: ks.Deblurred) -> None:
    pictures = {"photo": photo, "deblurred": found.image}
    if found.kernel is not None:
        pictures["kernel"] = kernel_picture(found.kernel)
    if found.grid is not None:
        drawn = draw_grid(jnp.asarray(found.grid)[None], jnp.asarray(photo)[None])
        pictures["its kernels"] = np.asarray(drawn[0])
    page = images.contact_sheet(list(pictures.values()), list(pictures))
    name = path.with_name(f"{path.stem}_sheet.png")
    ks.write(name, ks.Photo(page))
    out.print(escape(str(name)))


@app.command()
def kernels(
    photo: Annotated[Path, typer.Argument(help="A blurry photo.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture.")],
    weight_file: Annotated[
        Path | None,
        typer.Option("--weights", help=f"A weight file. {_weights_help('basis')}"),
    ] = None,
    gamma: Annotated[
        float, typer.Option(min=0.1, help="Of the camera, 1 for linear photos.")
    ] = GAMMA,
) -> None:
    """Draw how each place of a photo was blurred, and write the field beside it.

    The picture shows the kernels over the photo, those that are used most, and where;
    all numbers are in a .npz of the same name: kernels (B, k, k) and masks (H, W, B).
    """
    images.check_suffix(output)
    given = weights.load(weight_file) if weight_file else None
    network = methods.network_of(methods.find_method("basis"), given)
    assert network is not None
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
