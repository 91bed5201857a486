"""Verbs that score: kernel-space evaluate and kernel-space report."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.cli.app import app, err, out
from kernel_space_jax.cli.outputs import Overwrite, claim, claim_folder, folder_of
from kernel_space_jax.cli.progress import Bar
from kernel_space_jax.deblur import methods
from kernel_space_jax.errors import unknown

if TYPE_CHECKING:
    from kernel_space_jax.evaluation.tables import Table

Data = Annotated[
    str, typer.Option("--data", help="The data set, NAME:PATH?option=value.")
]
Names = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        help=f"A method to score, one of {', '.join(methods.table())}; a search and "
        "its preset, such as nested-full; blurry, the photo as it is; or one that is "
        "told the truth, such as known-kernel. Give it again for more methods; the "
        "first is the one that the others are compared with.",
    ),
]
WeightFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--weights",
        help="A weight file to score, or the name of one that comes with the package: "
        "of a network that makes sharp photos, finds kernels, or moves blur. Give it "
        "again for more.",
    ),
]
Results = Annotated[
    list[str] | None,
    typer.Option(
        "--results",
        help="A folder of sharp photos that any program has made, named as those of "
        "the data set, to score them too: [LABEL=]FOLDER.",
    ),
]
InMarkdown = Annotated[
    Path | None,
    typer.Option(
        help="A Markdown file to put the table into as well; the rest of it stays."
    ),
]

# What a run writes into its folder, beside images and kernels.
RUN_FILES = ("rows.jsonl", "scores.csv", "summary.json", "table.md")


@app.command()
def evaluate(
    data: Data,
    method: Names = None,
    weight_files: WeightFiles = None,
    results: Results = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder of the run. Without it evaluations/LAYOUT."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="The part of the data set to score, such as test."),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="How images are scored (docs/protocols), if not as papers do it on "
            "this data set."
        ),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            help="Blur the sharp images in growing degrees instead, to see when a "
            "method fails: any of noise,kernel-length,jpeg,gamma."
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(help="One more score in the table: ssim-3d, ms-ssim or lpips."),
    ] = None,
    lpips: Annotated[
        Path | None,
        typer.Option(help="A weight file of LPIPS, which --also lpips needs."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10**9,
            help="Score only so many images, the first ones, for a quick look.",
        ),
    ] = None,
    published: Annotated[
        str,
        typer.Option(
            help="Show what papers report on this layout of data set beside the scores."
        ),
    ] = "",
    table: InMarkdown = None,
    title: Annotated[str | None, typer.Option(help="The table's title.")] = None,
    images: Annotated[
        bool,
        typer.Option(
            help="Keep the images that methods make, to show them in a report."
        ),
    ] = True,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if an image has a problem.")
    ] = False,
) -> None:
    """Score methods, weights or folders of results on a data set, as papers do.

    Writes scores.csv, summary.json and table.md into the run's folder. Run it again
    after an interruption, or with one more method: it goes on where it was.
    """
    # Slow to import, and no other verb needs it.
    from kernel_space_jax.datasets.layouts import LAYOUTS
    from kernel_space_jax.evaluation import Method, Settings
    from kernel_space_jax.evaluation import evaluate as run
    from kernel_space_jax.evaluation.curves import write_sweep
    from kernel_space_jax.evaluation.methods import chosen
    from kernel_space_jax.evaluation.results import from_folder

    if split is not None:
        data += f"{'&' if '?' in data else '?'}split={split}"

    def make(names: Sequence[str]) -> list[Method]:
        made = chosen(method or [], weight_files or [])
        return made + [from_folder(folder, names) for folder in results or []]

    if not (method or weight_files or results):
        raise ks.UserError(
            "nothing to evaluate; give --method, --weights or --results, such as "
            "--method blurry"
        )
    if published and published not in LAYOUTS:
        raise unknown("layout", published, LAYOUTS)
    kinds = tuple(sweep.split(",")) if sweep else ()
    settings = Settings(
        data, protocol or "", tuple(also or ()), limit, kinds, published
    )
    folder = output or Path("evaluations") / data.partition(":")[0]
    sources = [folder_of(data), *(_folder(result) for result in results or [])]
    claim_folder(folder, sources, below=True)
    if not (folder / "run.json").exists():
        claim([folder / name for name in RUN_FILES], overwrite=None)
    check_table(table)
    with Bar("evaluating images:") as bar:
        found = run(
            folder,
            settings,
            make,
            perceptual=weights.load(lpips) if lpips else None,
            keep_images=images,
            tell=bar.tell,
        )
    if title is None:
        names = dict.fromkeys([found.protocol.name, data.partition(":")[0]])
        title = ", ".join(names)
    write_table(folder, found, title, table)
    if kinds:
        write_sweep(folder, found)
    out.print(f"written to {escape(str(folder))}")
    if found.problems:
        count = len(found.problems)
        err.print(f"[bold red]problems:[/] {count}, listed below the table")
    if strict and (found.problems or found.notes):
        raise typer.Exit(1)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the page.")],
    title: Annotated[str, typer.Option(help="The page's title.")] = "Evaluation",
    images: Annotated[
        int, typer.Option(min=2, help="The most images to show of a run.")
    ] = 40,
    overwrite: Overwrite = False,
) -> None:
    """Put runs of evaluate on one page: images, curves, tables.

    Images are shown with a slider between before and after, those first that the best
    method did worst or best on. The page needs no network and works from disk.
    """
    from kernel_space_jax.evaluation.report import write_report

    for run in runs:
        if run.is_dir() and output.exists() and output.samefile(run):
            raise ks.UserError(
                f"{output} is one of the runs; give another folder with -o"
            )
    claim_folder(output)
    claim([output / "index.html"], overwrite=overwrite)
    with Bar("writing images:") as bar:
        page = write_report(runs, output, title=title, most=images, tell=bar.tell)
    out.print(escape(str(page)))


def _folder(result: str) -> Path:
    """The folder of [LABEL=]FOLDER."""
    return Path(result.rpartition("=")[2])


def write_table(folder: Path, found: "Table", title: str, table: Path | None) -> None:
    """The table into its run's folder, into a Markdown file, and onto the screen."""
    from kernel_space_jax.evaluation.tables import put_section, write_all

    text = write_all(folder, found, title, _command())
    if table is not None:
        put_section(table, title, text)
    out.print(escape(text))


def check_table(table: Path | None) -> None:
    """A `UserError` unless a table can be put into that file."""
    if table is None:
        return
    if table.suffix.lower() not in (".md", ".markdown"):
        raise ks.UserError(f"--table {table} is not Markdown; give a file NAME.md")
    # The rest of the page stays as it is.
    claim([table], overwrite=True)


def _command() -> str:
    """What the person typed, however the program was started."""
    return shlex.join(["kernel-space", *sys.argv[1:]])
