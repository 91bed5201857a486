"""Verbs about data sets: kernel-space data check, prepare, show."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

import kernel_space_jax as ks
from kernel_space_jax import images
from kernel_space_jax.cli.app import app, out
from kernel_space_jax.cli.numbers import Seed
from kernel_space_jax.cli.outputs import Overwrite, claim, claim_folder, folder_of
from kernel_space_jax.cli.progress import Bar
from kernel_space_jax.datasets import open_source
from kernel_space_jax.datasets.check import check as check_source
from kernel_space_jax.datasets.crops import Augment
from kernel_space_jax.datasets.source import FolderSource

data = typer.Typer(help="Look at data sets, and prepare them.", no_args_is_help=True)
app.add_typer(data, name="data")

Spec = Annotated[
    str,
    typer.Argument(help="NAME:PATH?option=value, such as 'gopro:/data/GOPRO'."),
]
MOST_SIZES, MOST_TILE = 5, 2**16


@data.command()
def check(spec: Spec) -> None:
    """Read every picture of a data set: counts, sizes, and every problem by name.

    Exits with 1 if there is a problem.
    """
    with Bar("reading records:") as bar:
        report = check_source(spec, bar.tell)
    out.print(f"{report.records} records")
    for split, count in sorted(report.splits.items()):
        out.print(f"  split {escape(split)}: {count}")
    for key, count in report.holds.items():
        out.print(f"  with {key}: {count}")
    sizes = report.sizes.most_common()
    for (width, height), count in sizes[:MOST_SIZES]:
        out.print(f"  {width} x {height} pixels: {count} pictures")
    if len(sizes) > MOST_SIZES:
        rest = sum(count for _, count in sizes[MOST_SIZES:])
        out.print(f"  {len(sizes) - MOST_SIZES} other sizes: {rest} pictures")
    for problem in report.problems:
        out.print(f"[bold red]problem:[/] {escape(problem)}")
    out.print(f"{len(report.problems) or 'no'} problems")
    if report.problems:
        raise typer.Exit(1)


@data.command()
def prepare(
    spec: Spec,
    output: Annotated[Path, typer.Option("-o", "--output", help="The new folder.")],
    tile: Annotated[
        int,
        typer.Option(
            help="Cut pictures into tiles of this side, in pixels, which training on "
            "small crops reads much faster; 0 keeps them whole."
        ),
    ] = 0,
    bits: Annotated[int, typer.Option(help="Bits a channel, 8 or 16.")] = 8,
    compress: Annotated[
        bool, typer.Option("--compress", help="Smaller on disk, slower to read.")
    ] = False,
) -> None:
    """Read a data set once, and write it so that training reads it fast.

    The result is opened by the spec prepared:FOLDER. Run it again after an
    interruption: it goes on where it was.
    """
    from kernel_space_jax.datasets.prepare import Storage, prepare

    if bits not in (8, 16):
        raise ks.UserError(f"--bits {bits} is unknown; it is 8 or 16")
    if tile != 0 and not images.SMALLEST_SIDE <= tile <= MOST_TILE:
        raise ks.UserError(
            f"--tile {tile} is not a size; give 0, for whole pictures, or a side from "
            f"{images.SMALLEST_SIDE} to {MOST_TILE} pixels"
        )
    source = open_source(spec)
    if not isinstance(source, FolderSource):
        raise ks.UserError(f"{spec} is prepared already; train on it as it is")
    claim_folder(output, [folder_of(spec)])
    with Bar("preparing records:") as bar:
        done = 0

        def advance(records: int) -> None:
            nonlocal done
            done += records
            bar.tell(done, len(source))

        count = prepare(source, output, Storage(tile, bits, compress), progress=advance)
    out.print(f"{escape(str(output))}: {count} records, open it as prepared:{output}")


@data.command("split-sharp")
def split_sharp(
    frames: Annotated[
        Path, typer.Argument(help="A folder of photos or frames, a folder a scene.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The new folder.")],
    share: Annotated[
        float,
        typer.Option(
            min=0.1, max=0.9, help="The part of the scenes for blurry frames."
        ),
    ] = 0.6,
) -> None:
    """Sort the frames of one camera into blurry and sharp ones, of different scenes.

    The result is for Blur2Blur: blur2blur:FOLDER?part=A has the blurry frames, part=B
    the sharp ones.
    """
    from kernel_space_jax.datasets.sharpness import split_sharp as split

    if not frames.is_dir():
        raise ks.UserError(f"{frames} is not a folder; give a folder of frames")
    claim_folder(output, [frames])
    if any((output / kind).exists() for kind in ("trainA", "trainB")):
        raise ks.UserError(f"{output} exists already; give a new folder with -o")
    with Bar("measuring frames:") as bar:
        found = split(frames, output, share=share, tell=bar.tell)
    for letter, kind, count, scenes in (
        ("A", "blurry", found.blurry, found.scenes_of_blurry),
        ("B", "sharp", found.sharp, found.scenes_of_sharp),
    ):
        said = f"{count} {kind} frames of {scenes} scene{'s' if scenes > 1 else ''}"
        out.print(f"{escape(str(output / f'train{letter}'))}: {said}")


@data.command()
def show(
    spec: Spec,
    output: Annotated[Path, typer.Option("-o", "--output", help="An image file.")],
    count: Annotated[
        int, typer.Option(min=1, max=100, help="How many examples, a row each.")
    ] = 4,
    crop: Annotated[
        int,
        typer.Option(
            min=16, max=4096, help="The side of the crops, in pixels, as in training."
        ),
    ] = 256,
    augment: Annotated[
        bool,
        typer.Option(help="Flip and turn the crops at random, as training does."),
    ] = True,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Put what the network will see on one page, with the kernels that are known."""
    from kernel_space_jax.datasets.preview import examples, sheet

    images.check_suffix(output)
    claim([output], [folder_of(spec)], overwrite=overwrite)
    source = open_source(spec)
    ways: Augment = "turn" if augment else "none"
    shown = examples(source, count=count, crop=crop, augment=ways, seed=seed)
    ks.write(output, ks.Photo(sheet(shown)))
    out.print(escape(str(output)))
