"""Verbs that make new blur: sample, interpolate, show-kernel, augment."""

from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import typer
from rich.markup import escape
from rich.progress import Progress

import kernel_space_jax as ks
from kernel_space_jax import images, weights
from kernel_space_jax.cli.app import WeightFile, app, err, out
from kernel_space_jax.drawing import kernel_picture
from kernel_space_jax.synthesis import codes

Folder = Annotated[Path, typer.Option("-o", "--output", help="Folder of results.")]
Pair = Annotated[tuple[Path, Path], typer.Option(help="A sharp and a blurry image.")]


def _at_least_one(count: int) -> int:
    if count < 1:
        raise ks.UserError(f"-n {count} makes nothing; give 1 or more")
    return count


Count = Annotated[int, typer.Option("-n", callback=_at_least_one, help="How many.")]


@app.command()
def sample(
    image: Annotated[Path, typer.Argument(help="The image to blur.")],
    output: Folder,
    weight_file: Annotated[
        Path, typer.Option("--weights", help="Of a variational kernel space.")
    ] = Path("kernel-space-variational"),
    count: Count = 10,
    seed: int = 0,
) -> None:
    """Blur an image with new blurs, drawn from a variational kernel space."""
    space = weights.load(weight_file)
    drawn = codes.random_codes(jax.random.key(seed), space, count)
    photo = ks.read(image)
    _write_all(
        photo, image.stem, [drawn[i : i + 1] for i in range(count)], space, output
    )


@app.command()
def interpolate(
    image: Annotated[Path, typer.Argument(help="The image to blur.")],
    output: Folder,
    first: Pair,
    last: Pair,
    weight_file: WeightFile = None,
    count: Count = 8,
) -> None:
    """Blur an image with the blurs between those of two pairs."""
    space = _space(weight_file)
    ends = []
    for sharp, blurry in (first, last):
        x, y = ks.read(sharp).pixels, ks.read(blurry).pixels
        ends.append(ks.extract_blur(x, y, space)[1])
    photo = ks.read(image)
    _write_all(
        photo, image.stem, list(codes.between(ends[0], ends[1], count)), space, output
    )


@app.command("show-kernel")
def show_kernel(
    sharp: Annotated[Path, typer.Option(help="The sharp image of a pair.")],
    blurry: Annotated[Path, typer.Option(help="The blurry image of the pair.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture.")],
    weight_file: WeightFile = None,
) -> None:
    """Draw the blur of a pair: the kernel that its code acts by, place by place."""
    images.check_suffix(output)
    space = _space(weight_file)
    x, y = ks.read(sharp).pixels, ks.read(blurry).pixels
    operator, k = ks.extract_blur(x, y, space)
    found = codes.local_kernels(operator, k, (x.shape[0], x.shape[1]))
    ks.write(output, ks.Photo(kernel_picture(np.asarray(found))))
    out.print(escape(str(output)))


@app.command()
def augment(
    source: Annotated[str, typer.Option(help="Pairs to take blur from: NAME:PATH.")],
    target: Annotated[str, typer.Option(help="Sharp images to blur: NAME:PATH.")],
    output: Folder,
    count: Count,
    weight_file: WeightFile = None,
    seed: int = 0,
) -> None:
    """Give sharp images the blur of another data set, as pairs to train on.

    Each image takes the blur of a pair drawn at random. Run it again after an
    interruption: it goes on.
    """
    from kernel_space_jax.datasets import open_source
    from kernel_space_jax.synthesis.augment import LOG
    from kernel_space_jax.synthesis.augment import augment as run

    # A bar on a terminal, nothing in a file.
    with Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("blurring", total=count)
        made = run(
            open_source(source),
            open_source(target),
            output,
            count,
            weights=_space(weight_file),
            seed=seed,
            tell=lambda done, total: bar.update(task, completed=done, total=total),
        )
    out.print(f"{made} new pairs in {escape(str(output))}; {LOG} says whose blur")


def _space(weight_file: Path | None) -> weights.Weights:
    return weights.load(weight_file or Path("kernel-space"))


def _write_all(
    photo: ks.Photo, stem: str, blurs: list, space: weights.Weights, output: Path
) -> None:
    if output.exists() and any(output.iterdir()):
        raise ks.UserError(f"{output} has files in it; give a new folder with -o")
    operator = codes.blur_with(space)
    for number, k in enumerate(blurs):
        (blurry,) = ks.transfer(operator, k, [photo.pixels])
        path = output / f"{stem}_{number:02d}.png"
        ks.write(path, photo._replace(pixels=blurry))
        out.print(escape(str(path)))
