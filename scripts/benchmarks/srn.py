"""SRN, x = R(y), beside the same network in TensorFlow, where it was published."""

from importlib.util import find_spec
from typing import Annotated, Any

import jax
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
from benchmarks.timing import compiled, gigabytes, gigaflops

from kernel_space_jax.models.restorers import applied, initial, restorer
from kernel_space_jax.weights import to_tensors

PRESETS = ("srn-color", "srn-lstm")
MULTIPLE = 16
OUTPUTS = 1e-4


def _sides(side: int) -> int:
    if side % MULTIPLE:
        raise typer.BadParameter(f"--size {side} is no multiple of {MULTIPLE}")
    return side


def _tensorflow() -> Any:
    if not find_spec("tensorflow"):
        refuse("no TensorFlow: pip install '.[tf]' in the project's folder")
    import tensorflow as tf

    return tf


def srn(
    size: Annotated[
        int, typer.Option(min=MULTIPLE, callback=_sides, help="Of a square photo.")
    ] = 256,
    width: Annotated[
        int | None, typer.Option(min=1, help="Instead of the published one.")
    ] = None,
    shallow: Annotated[
        bool, typer.Option("--shallow", help="One block at each scale.")
    ] = False,
    rounds: Positive = 5,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """SRN on one photo in colour: JAX against TensorFlow, compiled each."""
    only_on("cpu", "TensorFlow here is the CPU's")
    tf = _tensorflow()
    from benchmarks.tensorflow_srn import SRN

    say = Report("srn")
    say(f"{machine(tensorflow=tf.__version__)}\n\n{rounds} rounds, {size}x{size}\n")
    options: dict[str, Any] = {} if width is None else {"width": width}
    if shallow:
        options["blocks"] = 1
    y = np.random.default_rng(0).random((1, size, size, 3), np.float32)
    for name in PRESETS:
        module: Any = restorer(name, **options)
        variables = jax.jit(lambda key, m=module: initial(m, key))(jax.random.key(0))
        restore = lambda variables, y, m=module: applied(m, variables, y)
        flops = gigaflops(restore, variables, y)
        run, seconds = compiled(restore, variables, y)
        rival = SRN(to_tensors(module, variables))
        # One channel: the colours of the photo side by side, as in the paper's test.
        theirs = tf.constant(y.transpose(3, 1, 2, 0) if module.channels == 1 else y)
        call = tf.function(lambda y, rival=rival: rival(y)[-1])
        found = call(theirs).numpy()
        if found.shape != y.shape:
            found = found.transpose(3, 1, 2, 0)
        calls = {
            OURS: lambda run=run, v=variables: jax.block_until_ready(run(v, y)),
            "TensorFlow": lambda call=call, y=theirs: call(y).numpy(),
        }
        say.compare(
            f"{name}, {size}x{size}",
            calls,
            rounds,
            difference=float(np.abs(np.asarray(run(variables, y)) - found).max()),
            allowed=OUTPUTS,
            compile_s=seconds,
            gigabytes=gigabytes(run),
            gigaflops=flops,
        )
    say.close(json_file, write)
