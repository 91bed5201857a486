"""Verbs about weight files."""

from pathlib import Path
from typing import Annotated

import jax
import typer
from rich.markup import escape

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.cli.app import app, out


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
