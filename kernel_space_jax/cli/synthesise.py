"""Verbs that make new blur: sample, interpolate, show-kernel, augment."""

from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import typer
from rich.markup import escape

import kernel_space_jax as ks
from kernel_space_jax import images, weights
from kernel_space_jax.cli.app import WeightFile, app, out
from kernel_space_jax.cli.numbers import Seed, counted
from kernel_space_jax.cli.outputs import (
    Overwrite,
    claim,
    claim_folder,
    folder_of,
    pages_note,
)
from kernel_space_jax.cli.progress import Bar
from kernel_space_jax.drawing import kernel_picture
from kernel_space_jax.sheets import PAGE_WIDTH, contact_sheet, fitted, stack
from kernel_space_jax.synthesis import codes

# Of one verb: images that are made of one, and pairs of a data set.
MOST_BLURS, MOST_PAIRS = 1000, 10**7
GRID_HEIGHT = 640

Folder = Annotated[Path, typer.Option("-o", "--output", help="Folder of results.")]
Pair = Annotated[tuple[Path, Path], typer.Option(help="A sharp and a blurry image.")]

Count = Annotated[
    int,
    typer.Option(
        "-n", callback=counted("-n", 1, MOST_BLURS), help="How many blurred images."
    ),
]


@app.command()
def sample(
    image: Annotated[Path, typer.Argument(help="The image to blur.")],
    output: Folder,
    weight_file: Annotated[
        Path,
        typer.Option(
            "--weights",
            help="A weight file of a variational kernel space, which knows how "
            "likely a blur is.",
        ),
    ] = Path("kernel-space-variational"),
    count: Count = 10,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Blur an image with new blurs, drawn from a variational kernel space."""
    results = _results(image, output, count)
    claim(results, [image, weight_file], overwrite=overwrite)
    space = weights.load(weight_file)
    drawn = codes.random_codes(jax.random.key(seed), space, count)
    _write_all(image, [drawn[i : i + 1] for i in range(count)], space, results)


@app.command()
def interpolate(
    image: Annotated[Path, typer.Argument(help="The image to blur.")],
    output: Folder,
    first: Pair,
    last: Pair,
    weight_file: WeightFile = None,
    count: Count = 8,
    overwrite: Overwrite = False,
) -> None:
    """Blur an image with the blurs between those of two pairs."""
    results = _results(image, output, count)
    named = [weight_file] if weight_file else []
    claim(results, [image, *first, *last, *named], overwrite=overwrite)
    space = _space(weight_file)
    ends = []
    for sharp, blurry in (first, last):
        x, y = ks.read(sharp).pixels, ks.read(blurry).pixels
        ends.append(ks.extract_blur(x, y, space)[1])
    _write_all(image, list(codes.between(ends[0], ends[1], count)), space, results)


@app.command("show-kernel")
def show_kernel(
    sharp: Annotated[Path, typer.Option(help="The sharp image of a pair.")],
    blurry: Annotated[Path, typer.Option(help="The blurry image of the pair.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture.")],
    weight_file: WeightFile = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw the kernels between a sharp and a blurry image.

    The picture shows the pair, and how a kernel space would make one image of the
    other: the kernel that its blur code acts by, at each place of the image.
    """
    images.check_suffix(output)
    named = [weight_file] if weight_file else []
    claim([output], [sharp, blurry, *named], overwrite=overwrite)
    space = _space(weight_file)
    x, y = ks.read(sharp).pixels, ks.read(blurry).pixels
    operator, k = ks.extract_blur(x, y, space)
    found = codes.local_kernels(operator, k, (x.shape[0], x.shape[1]))
    rows, columns, side, _ = found.shape
    pair = contact_sheet([x, y], [f"sharp: {sharp.name}", f"blurry: {blurry.name}"])
    drawn = fitted(kernel_picture(np.asarray(found)), PAGE_WIDTH, GRID_HEIGHT)
    says = f"the kernel of each place, top left to bottom right: {rows} x {columns} "
    says += f"places, kernels of {side} x {side} pixels"
    ks.write(output, ks.Photo(stack([pair, contact_sheet([drawn], [says])])))
    out.print(escape(str(output)))


@app.command()
def augment(
    source: Annotated[str, typer.Option(help="Pairs to take blur from: NAME:PATH.")],
    target: Annotated[str, typer.Option(help="Sharp images to blur: NAME:PATH.")],
    output: Folder,
    count: Annotated[
        int,
        typer.Option(
            "-n", callback=counted("-n", 1, MOST_PAIRS), help="How many pairs."
        ),
    ],
    weight_file: WeightFile = None,
    seed: Seed = 0,
) -> None:
    """Give sharp images the blur of another data set, as pairs to train on.

    Each image takes the blur of a pair drawn at random. Run it again after an
    interruption: it goes on.
    """
    from kernel_space_jax.datasets import open_source
    from kernel_space_jax.synthesis.augment import LOG
    from kernel_space_jax.synthesis.augment import augment as run

    claim_folder(output, [folder_of(source), folder_of(target)])
    with Bar("blurring images:") as bar:
        made = run(
            open_source(source),
            open_source(target),
            output,
            count,
            weights=_space(weight_file),
            seed=seed,
            tell=bar.tell,
        )
    out.print(f"{made} new pairs in {escape(str(output))}; {LOG} says whose blur")


def _space(weight_file: Path | None) -> weights.Weights:
    return weights.load(weight_file or Path("kernel-space"))


def _results(image: Path, output: Path, count: int) -> list[Path]:
    return [output / f"{image.stem}_{number:02d}.png" for number in range(count)]


def _write_all(
    image: Path, blurs: list, space: weights.Weights, results: list[Path]
) -> None:
    """The image with each of the blurs."""
    photo = ks.read(image)
    operator = codes.blur_with(space)
    with Bar("blurring") as bar:
        bar.start(image.name)
        for number, (k, path) in enumerate(zip(blurs, results, strict=True)):
            (blurry,) = ks.transfer(operator, k, [photo.pixels])
            ks.write(path, photo._replace(pixels=blurry))
            bar.tell(number + 1, len(blurs))
            out.print(escape(f"{path}{pages_note(image)}"))
