"""Verbs that look for blur in photos, and take it out."""

import inspect
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.markup import escape

import kernel_space_jax as ks
from kernel_space_jax import images, weights
from kernel_space_jax.cli.app import app, out
from kernel_space_jax.cli.outputs import Overwrite, claim, pages_note, result_paths
from kernel_space_jax.cli.progress import numbered
from kernel_space_jax.cli.trace import Trace, trace_files
from kernel_space_jax.deblur import Method, Option, deblur_all, methods, of_one_size
from kernel_space_jax.deblur.options import LEAST_GAMMA, MOST_GAMMA, of_translator
from kernel_space_jax.drawing import field_picture, grid_picture, kernel_picture
from kernel_space_jax.files import write_whole
from kernel_space_jax.operators import KernelField
from kernel_space_jax.operators.camera import GAMMA
from kernel_space_jax.sheets import PAGE_WIDTH, contact_sheet, stack

Photos = Annotated[list[Path], typer.Argument(help="Blurry photos.")]
# Of the page of a basis: pictures in a row, a kernel and a map in turn; most kernels.
BASIS_COLUMNS, MOST_DRAWN = 8, 24
# What weights do that come with the package.
SHIPPED = {
    "mender": "mender, which finds the kernel of each pixel,",
    "kernel-space": "kernel-space, which has learned blur from pairs of photos,",
}
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
                typer.Option(
                    option.flags, help=_help(name), rich_help_panel=_panel(name)
                ),
            ],
        )
        for name, option in _typed().items()
    ]
    # Options of more methods first, those of one kind of method together.
    more.sort(key=lambda p: -len(methods.with_option(p.name)))
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


def _panel(name: str) -> str:
    """The heading of an option in the help: the methods that have it."""
    having = [row.name for row in methods.with_option(name)]
    lacking = [other for other in methods.table() if other not in having]
    if not lacking:
        return "Options of all methods"
    if len(lacking) < len(having):
        return f"Options of all methods but {', '.join(lacking)}"
    return f"Options of {', '.join(having)}"


def _help(name: str) -> str:
    """What an option is, and its default."""
    says: dict[str, list[str]] = {}
    defaults: dict[Any, list[str]] = {}
    for row in methods.with_option(name):
        option = row.option(name)
        says.setdefault(option.help, []).append(row.name)
        if option.default is not None and option.kind is not bool:
            defaults.setdefault(option.default, []).append(row.name)
    parts = [*says]
    if len(says) > 1:
        parts = [f"{', '.join(rows)}: {text}" for text, rows in says.items()]
    if sum(map(len, defaults.values())) == len(methods.with_option(name)):
        usual = max(defaults, key=lambda default: len(defaults[default]))
        others = [f"{d} for {', '.join(r)}" for d, r in defaults.items() if d != usual]
        parts.append(f"By default {'; '.join([str(usual), *others])}.")
    return " ".join(parts)


def _methods_help() -> str:
    """The methods, a line each."""
    rows = methods.table().values()
    return "\n\n".join(f"[bold]{row.name}[/]: {row.says}" for row in rows)


def _weights_of(*names: str) -> str:
    """Which weights come with the package for these methods, or for all."""
    rows = [methods.find_method(name) for name in names or methods.table()]
    users: dict[str, list[str]] = {}
    for row in rows:
        if row.ships:
            users.setdefault(row.ships, []).append(row.name)
    texts = [
        f"{SHIPPED.get(ships, ships)} for {' and '.join(users[ships])}"
        for ships in users
    ]
    return f"Without it {'; '.join(texts)}."


@app.command(
    help=f"""Take the blur out of photos.

Methods, for --method:

{_methods_help()}

The sharp photo is found by searching (selfdeblur, pixel-kernel, kernel-space, nested:
minutes), by solving for the kernels that a quicker way finds (auto, map, map-local,
basis: seconds), or by a network in one pass.
Searches and networks take photos of one size together. Ctrl-C ends a search early
and writes the best so far."""
)
@_with_options
def deblur(
    photos: Photos,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of results.")],
    method: Annotated[
        str,
        typer.Option(help="How the blur is found and taken out, see above."),
    ] = methods.DEFAULT,
    weight_file: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            help="A weight file of the network that a method uses, or the name of one "
            f"that comes with the package. {_weights_of()} A method that is a network "
            "by itself, such as nafnet-32, needs it.",
        ),
    ] = None,
    sheet: Annotated[
        bool,
        typer.Option(
            "--sheet",
            help="Also write NAME_sheet.png: the photo, the result and the kernels.",
        ),
    ] = False,
    trace: Annotated[
        bool,
        typer.Option(
            "--trace",
            help="Of a search, also write how it went: NAME_loss.png, a curve, and "
            "NAME_frames.png, the photo on the way.",
        ),
    ] = False,
    overwrite: Overwrite = False,
    **options: Any,
) -> None:
    """Take the blur out of photos."""
    row = methods.find_method(method)
    given = {name: value for name, value in options.items() if value is not None}
    methods.refuse_lacking(row, given, flags=True)
    watched = row.has("watch")
    if trace and not watched:
        raise ks.UserError(f"--trace shows a search; {method} is none")
    results = result_paths(photos, output)
    sheets = [path.with_name(f"{path.stem}_sheet.png") for path in results]
    more = sheets if sheet else []
    more += [file for path in results if trace for file in trace_files(path)]
    files = [value for value in given.values() if isinstance(value, Path)]
    files += [weight_file] if weight_file else []
    claim([*results, *more], [*photos, *files], overwrite=overwrite)
    network = weights.load(weight_file, role="") if weight_file else None
    network = methods.network_of(row, network)
    for name, value in given.items():
        if row.option(name).kind is ks.Weights:
            given[name] = weights.load(value, role=name)
    inputs = [ks.read(photo) for photo in photos]
    for photo in inputs:
        methods.settle(row, given, photo.pixels.shape)
    alone = [[i] for i in range(len(inputs))]
    names = [photo.name for photo in photos]
    sized = of_one_size([photo.pixels for photo in inputs])
    with Trace(keep=trace) as shown:
        for group in sized if row.together else alone:
            shown.start(numbered(group, names), inputs[group[0]].pixels.shape)
            heard: dict[str, Any] = {"watch": shown.watch} if watched else {}
            stack = [inputs[i].pixels for i in group]
            found = deblur_all(
                stack, method, weights=network, tell=shown.tell, **given, **heard
            )
            for place, i in enumerate(group):
                ks.write(results[i], inputs[i]._replace(pixels=found[place].image))
                note = _note(found[place], row)
                out.print(escape(f"{results[i]} ({note}){pages_note(photos[i])}"))
                if sheet:
                    _write_sheet(sheets[i], inputs[i].pixels, found[place])
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
        size = found.kernel.shape[-1]
        of = "kernel" if found.kernel.ndim == 2 else "kernel of each tile"
        pictures[f"{of} ({size} x {size} pixels)"] = kernel_picture(found.kernel)
    if found.grid is not None:
        drawn = grid_picture(found.grid, photo, PAGE_WIDTH // 2)
        pictures["kernels, where they act"] = drawn
    ks.write(path, ks.Photo(contact_sheet(list(pictures.values()), list(pictures))))
    out.print(escape(str(path)))


@app.command("convert-blur")
def convert_blur(
    photos: Photos,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of results.")],
    weight_file: Annotated[
        Path,
        typer.Option(
            "--weights",
            help="A weight file of a translator, that a config of Blur2Blur trained.",
        ),
    ],
    tile: Annotated[
        int | None,
        typer.Option(help="Work on parts of this side, in pixels, as deblur does."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Turn the blur of photos into a blur that a restorer knows.

    deblur --translator does the same, and then deblurs.
    """
    results = result_paths(photos, output)
    claim(results, [*photos, weight_file], overwrite=overwrite)
    network = weights.load(weight_file, role="translator")
    of_translator(network, ())
    inputs = [ks.read(photo) for photo in photos]
    options = {} if tile is None else {"tile": tile}
    for group in of_one_size([photo.pixels for photo in inputs]):
        found = ks.convert_blur([inputs[i].pixels for i in group], network, **options)
        for i, image in zip(group, found, strict=True):
            ks.write(results[i], inputs[i]._replace(pixels=image))
            out.print(escape(f"{results[i]}{pages_note(photos[i])}"))


@app.command()
def kernels(
    photo: Annotated[Path, typer.Argument(help="A blurry photo.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture.")],
    weight_file: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            help="A weight file of a network that finds the kernel of each pixel, or "
            f"the name of one that comes with the package. {_weights_of('basis')}",
        ),
    ] = None,
    gamma: Annotated[
        float,
        typer.Option(
            min=LEAST_GAMMA,
            max=MOST_GAMMA,
            help="How the camera made numbers of light, light = number^gamma: give 1 "
            "for photos that were not processed for a screen.",
        ),
    ] = GAMMA,
    overwrite: Overwrite = False,
) -> None:
    """Draw how each place of a photo was blurred, and write the kernels beside it.

    The picture shows the kernels over the photo, those that are used most, and where;
    all numbers are in a .npz of the same name: kernels (B, k, k) and masks (H, W, B).
    """
    images.check_suffix(output)
    numbers = output.with_suffix(".npz")
    named = [weight_file] if weight_file else []
    claim([output, numbers], [photo, *named], overwrite=overwrite)
    given = weights.load(weight_file) if weight_file else None
    network = methods.network_of(methods.find_method("basis"), given)
    assert network is not None
    pixels = ks.read(photo).pixels
    field = ks.find_field(pixels, network, gamma)
    drawn = field_picture(field, pixels, PAGE_WIDTH)
    caption = f"{photo.name}: the kernel of each place"
    page = [contact_sheet([drawn], [caption], columns=1), _basis_page(field)]
    buffer = BytesIO()
    np.savez_compressed(
        buffer,
        kernels=np.asarray(field.kernels[0]),
        masks=np.asarray(field.masks[0], np.float16),
    )
    ks.write(output, ks.Photo(stack(page)))
    write_whole(numbers, buffer.getvalue())
    out.print(escape(f"{output}, {numbers}{pages_note(photo)}"))


def _basis_page(field: KernelField) -> np.ndarray:
    """Kernels beside the maps of where they act, the most used first.

    No more than `MOST_DRAWN`, and only those that are used.
    """
    h, m = np.asarray(field.kernels[0]), np.asarray(field.masks[0])
    share = m.mean((0, 1))
    order = [b for b in np.argsort(-share) if share[b] > 0][:MOST_DRAWN]
    pictures, captions = [], []
    for b in order:
        pictures += [kernel_picture(h[b]), m[..., b : b + 1] / m[..., b].max()]
        captions += [f"used {share[b]:.0%}", "where"]
    return contact_sheet(pictures, captions, columns=BASIS_COLUMNS)
