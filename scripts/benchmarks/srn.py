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
    compiled,
    machine,
    only_on,
    race,
    refuse,
)

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

    say, device = Report("srn"), machine(tensorflow=tf.__version__)
    say(f"{device}\n\nMilliseconds, {rounds} rounds, {size}x{size}\n")
    say("| | ours | TensorFlow | TensorFlow / ours | compilation, s |")
    say("|---" + "|---:" * 4 + "|")
    figures: dict[str, Any] = {"machine": device, "rows": {}}
    options: dict[str, Any] = {} if width is None else {"width": width}
    if shallow:
        options["blocks"] = 1
    y = np.random.default_rng(0).random((1, size, size, 3), np.float32)
    for name in PRESETS:
        module: Any = restorer(name, **options)
        variables = jax.jit(lambda key, m=module: initial(m, key))(jax.random.key(0))
        run, seconds = compiled(
            lambda variables, y, m=module: applied(m, variables, y), variables, y
        )
        rival = SRN(to_tensors(module, variables))
        # One channel: the colours of the photo side by side, as in the paper's test.
        theirs = tf.constant(y.transpose(3, 1, 2, 0) if module.channels == 1 else y)
        call = tf.function(lambda y, rival=rival: rival(y)[-1])
        found = call(theirs).numpy()
        if found.shape != y.shape:
            found = found.transpose(3, 1, 2, 0)
        difference = float(np.abs(np.asarray(run(variables, y)) - found).max())
        if not difference < OUTPUTS:
            refuse(f"{name}: ours and TensorFlow differ by {difference:.1e}")
        ms = race(
            {
                "ours": lambda run=run, v=variables: jax.block_until_ready(run(v, y)),
                "tensorflow": lambda call=call, y=theirs: call(y).numpy(),
            },
            rounds,
        )
        ratio = ms["tensorflow"] / ms["ours"]
        cells = [*(f"{value:.0f}" for value in ms.values()), f"{ratio:.2f}"]
        say(f"| {name} | {' | '.join(cells)} | {seconds:.1f} |")
        figures["rows"][name] = {
            "ms": ms,
            "ratio": ratio,
            "compile_s": seconds,
            "difference": difference,
        }
    say.close(figures, json_file, write)
