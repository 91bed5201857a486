"""Verbs about weight files."""

from pathlib import Path
from typing import Annotated

import jax
import typer
from rich.markup import escape

from kernel_space_jax import weights
from kernel_space_jax.cli.app import app, out
from kernel_space_jax.cli.outputs import Overwrite, claim
from kernel_space_jax.errors import UserError
from kernel_space_jax.weights.options import parsed
from kernel_space_jax.weights.readers import files_of


@app.command("import-weights")
def import_weights(
    arch: Annotated[
        str,
        typer.Argument(
            help=f"A network, or a preset: {', '.join(weights.importable())}."
        ),
    ],
    file: Annotated[
        Path,
        typer.Argument(
            help="PyTorch's .pth, .safetensors, a TensorFlow checkpoint, .npz, or a "
            "TensorFlow.js graph model: its npm package (.tgz), or model.json."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file to write.")
    ] = None,
    install: Annotated[
        bool,
        typer.Option(
            "--install",
            help="In place of -o: put the file into the folder where the method of "
            "this name looks for its weights.",
        ),
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(
            help="An option of the network that its arrays do not show, NAME=VALUE, "
            "such as padding=zero. Give it again for more."
        ),
    ] = None,
    padding: Annotated[
        str | None, typer.Option(help="The same as --option padding=...")
    ] = None,
    origin: Annotated[
        str, typer.Option(help="What the file says of where the weights come from.")
    ] = "",
    licence: Annotated[
        str, typer.Option(help="What it says of their licence.")
    ] = "unknown",
    half: Annotated[
        bool, typer.Option("--half", help="Store numbers in 16 bits: half the size.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Turn the authors' checkpoint of a network into a weight file of ours."""
    if (output is None) != install:
        raise UserError(
            "give -o FILE to write a weight file, or --install to put it where the "
            f"method {arch} finds it"
        )
    output = output or weights.place(arch)
    options = parsed([*(option or []), *([f"padding={padding}"] if padding else [])])
    claim([output], [file, *files_of(file)], overwrite=overwrite)
    (module, variables), wrapper = weights.import_file(arch, file, **options)
    digest = weights.write(
        output,
        module,
        variables,
        origin=origin or file.name,
        licence=licence,
        half=half,
    )
    count = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    of = f" of '{wrapper}'" if wrapper else ""
    out.print(
        f"{escape(str(output))}: {arch}, {count:,} parameters{of}, sha256 {digest}"
    )


@app.command("weights")
def list_weights() -> None:
    """List the weights at hand, and say how others are had."""
    _list("With the package", weights.shipped())
    _list(f"Installed in {weights.place('').parent}", weights.installed())
    out.print("To be had from their authors, who set the licence")
    for name in weights.importable():
        if name in weights.networks():
            out.print(escape(f"  {name}: {weights.source(name)}"))


def _list(heading: str, files: dict[str, Path]) -> None:
    out.print(escape(heading if files else f"{heading}: nothing"))
    for name, path in files.items():
        header, size = weights.read_header(path), path.stat().st_size / 1e6
        out.print(
            escape(
                f"  {name}: {header['architecture']}, {size:.1f} MB, "
                f"{header.get('licence', 'unknown')}, {header.get('origin', '')}"
            )
        )


@app.command()
def describe(
    file: Annotated[Path, typer.Argument(help="A weight file.")],
) -> None:
    """Say what a weight file holds, and check that it is whole."""
    weights.load(file)
    for key, value in sorted(weights.read_header(file).items()):
        out.print(f"{key:>13}  {escape(value)}")
