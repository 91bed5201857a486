"""`kernel-space VERB`: each verb is a call or two of the public face."""

import sys
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track

import kernel_space_jax as ks
from kernel_space_jax import images, weights
from kernel_space_jax.synthesis.transfer import DEFAULT_KERNEL_SIZE

app = typer.Typer(
    help="Find, move and undo blur: y = F(x, k).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

WeightFile = Annotated[
    Path | None,
    typer.Option("--weights", help="A weight file of a kernel space."),
]


@app.callback()
def settings() -> None:
    """Find, move and undo blur: y = F(x, k)."""
    # Compiled programs are kept, so that the second run of a verb starts at once.
    cache = Path.home() / ".cache" / "kernel_space_jax"
    jax.config.update("jax_compilation_cache_dir", str(cache))


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
    results = _result_paths(targets, output, reserved="sheet.png" if sheet else None)
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


def _result_paths(
    targets: list[Path], output: Path, reserved: str | None
) -> list[Path]:
    """Where each result goes: the names of the targets, in the output folder."""
    results = [output / target.name for target in targets]
    names = [path.name for path in results] + ([reserved] if reserved else [])
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ks.UserError(
            f"two results would be called {twice}; rename one or run them apart"
        )
    for target, result in zip(targets, results, strict=True):
        if result.resolve() == target.resolve():
            raise ks.UserError(
                f"{result} would overwrite its own input; give another folder with -o"
            )
        images.check_suffix(result)
    return results


@app.command("import-weights")
def import_weights(
    arch: Annotated[str, typer.Argument(help="kernel_space, image_prior, ...")],
    file: Annotated[Path, typer.Argument(help="A PyTorch .pth file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")],
    padding: Annotated[
        str | None,
        typer.Option(help="What tensors cannot tell: reflect, replicate or zero."),
    ] = None,
    origin: Annotated[str, typer.Option(help="Where the weights come from.")] = "",
    licence: Annotated[str, typer.Option(help="Their licence.")] = "unknown",
) -> None:
    """Turn a PyTorch weight file into one of ours (needs PyTorch installed)."""
    weights.architecture(arch)
    options = {"padding": padding} if padding else {}
    state_dict = weights.read_torch_file(file)
    module, variables = ks.from_torch(arch, state_dict, **options)
    digest = weights.write(
        output, module, variables, origin=origin or file.name, licence=licence
    )
    count = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    out.print(f"{escape(str(output))}: {arch}, {count:,} parameters, sha256 {digest}")


@app.command()
def describe(
    file: Annotated[Path, typer.Argument(help="A weight file.")],
) -> None:
    """Say what a weight file holds, and check that it is whole."""
    weights.load(file)
    for key, value in sorted(weights.read_header(file).items()):
        out.print(f"{key:>13}  {escape(value)}")


def main() -> None:
    """The entry point: what a person did wrong is one sentence and exit code 2."""
    try:
        app()
    except ks.UserError as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}")
        sys.exit(2)
