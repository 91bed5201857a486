"""Verbs about data sets: kernel-space data check, prepare, show."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import Progress

import kernel_space_jax as ks
from kernel_space_jax import images
from kernel_space_jax.cli.app import app, err, out
from kernel_space_jax.datasets import open_source
from kernel_space_jax.datasets.check import check as check_source
from kernel_space_jax.datasets.source import FolderSource

data = typer.Typer(help="Look at data sets, and prepare them.", no_args_is_help=True)
app.add_typer(data, name="data")

Spec = Annotated[
    str,
    typer.Argument(help="NAME:PATH?option=value, such as 'gopro:/data/GOPRO'."),
]
MOST_SIZES = 5


def _progress() -> Progress:
    """A bar on a terminal, nothing in a file."""
    return Progress(console=err, transient=True, disable=not err.is_terminal)


@data.command()
def check(spec: Spec) -> None:
    """Read every picture of a data set: counts, sizes, and every problem by name.

    Exits with 1 if there is a problem.
    """
    with _progress() as bar:
        task = bar.add_task("reading", total=None)
        report = check_source(
            spec, lambda done, total: bar.update(task, completed=done, total=total)
        )
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
        int, typer.Option(help="Cut pictures into tiles of this side; 0 does not.")
    ] = 0,
    bits: Annotated[int, typer.Option(help="8 or 16 a channel.")] = 8,
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
    if tile < 0:
        raise ks.UserError(f"--tile {tile} is not a size; give 0 or more pixels")
    source = open_source(spec)
    if not isinstance(source, FolderSource):
        raise ks.UserError(f"{spec} is prepared already; train on it as it is")
    with _progress() as bar:
        task = bar.add_task("preparing", total=len(source))
        count = prepare(
            source,
            output,
            Storage(tile, bits, compress),
            progress=lambda records: bar.advance(task, records),
        )
    out.print(f"{escape(str(output))}: {count} records, open it as prepared:{output}")


@data.command()
def show(
    spec: Spec,
    output: Annotated[Path, typer.Option("-o", "--output", help="An image file.")],
    count: Annotated[int, typer.Option(min=1, help="Examples.")] = 4,
    crop: Annotated[int, typer.Option(min=16, help="Pixels a side.")] = 256,
    augment: Annotated[bool, typer.Option(help="Flips and quarter turns.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of the random crops.")] = 0,
) -> None:
    """Put what the network will see on one page, with the kernels that are known."""
    from kernel_space_jax.datasets.preview import examples, sheet

    images.check_suffix(output)
    source = open_source(spec)
    shown = examples(source, count=count, crop=crop, augment=augment, seed=seed)
    ks.write(output, ks.Photo(sheet(shown)))
    out.print(escape(str(output)))
