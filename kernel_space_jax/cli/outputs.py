"""One rule for all that verbs write: nothing that is there is lost.

An output is never an input, two outputs are never one file, and a result that exists
is replaced only with --overwrite. Verbs ask before they compute or write anything.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from kernel_space_jax import images
from kernel_space_jax.errors import UserError

Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace results that exist already. Without it the verb refuses to "
        "start where a result would replace a file.",
    ),
]


def claim(
    outputs: Sequence[Path], inputs: Iterable[Path] = (), *, overwrite: bool | None
) -> None:
    """A `UserError` unless all these files may be written.

    An input may be a folder, such as a data set: no output may lie in it. `overwrite`
    is None for a verb without the flag.
    """
    inputs = [*inputs]
    taken: dict[str, Path] = {}
    for output in outputs:
        _check_apart(output, inputs)
        # Some file systems do not tell a.png and A.png apart.
        key = str(_resolved(output)).casefold()
        if key in taken:
            raise UserError(
                f"two results would be called {output.name}; rename a file or run "
                "them apart"
            )
        taken[key] = output
        if output.is_dir():
            raise UserError(f"{output} is a folder; give the path of a file")
        _check_writable(output)
        if os.path.lexists(output) and not overwrite:
            how = "" if overwrite is None else ", or add --overwrite to replace it"
            raise UserError(f"{output} exists already; give another output{how}")


def claim_folder(
    folder: Path, inputs: Iterable[Path] = (), *, below: bool = False
) -> None:
    """A `UserError` unless a folder of results may be begun, or gone on with, here.

    With `below` it may lie in a folder that is an input.
    """
    _check_apart(folder, [*inputs], below=below)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; give a folder for the results")
    _check_writable(folder)


def result_paths(photos: Sequence[Path], output: Path) -> list[Path]:
    """Where the result of each photo goes: its name, in the output folder.

    A photo in a format that we cannot write, such as GIF, becomes a PNG.
    """
    results = []
    for photo in photos:
        known = photo.suffix.lower() in images.FORMATS
        results.append(output / (photo.name if known else f"{photo.stem}.png"))
    return results


def pages_note(photo: Path) -> str:
    """What the line about a result adds where the photo's file holds more images."""
    pages = images.count_pages(photo)
    return f" (the first of {pages} images in {photo.name})" if pages > 1 else ""


def folder_of(spec: str) -> Path:
    """The folder of a data set, NAME:PATH?option=value."""
    from kernel_space_jax.datasets.spec import parse

    return parse(spec).root


def _check_apart(output: Path, inputs: Sequence[Path], *, below: bool = False) -> None:
    """A `UserError` if an output is an input, or lies in one that is a folder."""
    resolved = _resolved(output)
    for given in inputs:
        if not given.exists():
            continue
        if _is_one(output, given):
            raise UserError(
                f"{output} would overwrite its own input; give another output with -o"
            )
        if below or not given.is_dir():
            continue
        if any(_is_one(up, given) for up in resolved.parents):
            raise UserError(
                f"{output} lies in {given}, which this verb reads; give another output "
                "with -o"
            )


def _is_one(a: Path, b: Path) -> bool:
    """Whether two paths are one file, also through links; b exists."""
    return a.exists() and os.path.samefile(a, b)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    # A loop of links, or a name that cannot be.
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{path} is not a path that can be written ({error})") from None


def _check_writable(path: Path) -> None:
    """A `UserError` unless a file can be made here, and its folder if need be."""
    folder = _resolved(path)
    folder = folder if folder.is_dir() else folder.parent
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise UserError(
            f"{path} cannot be written, because {folder} is a file; choose another "
            "output path"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(
            f"{path} cannot be written, because {folder} is read-only for you; choose "
            "another output path"
        )
