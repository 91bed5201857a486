"""How fast the parts run on this machine, beside stock XLA and PyTorch.

    python scripts/benchmark.py --help
    python scripts/benchmark.py all --write     # remakes docs/speed.md

What is compared takes turns, round by round, so that a busy machine slows every
contestant alike. Figures are medians of warm rounds; compilation is timed apart.
"""

import subprocess
import sys
from enum import StrEnum
from typing import Annotated

import typer
from benchmarks.adversarial import adversarial
from benchmarks.basis import basis
from benchmarks.blind import blind
from benchmarks.blur2blur import blur2blur
from benchmarks.common import Write, choose_platform
from benchmarks.conv import conv
from benchmarks.data import data
from benchmarks.deblur import deblur
from benchmarks.face import face
from benchmarks.kernel_space import kernel_space
from benchmarks.maxim import maxim
from benchmarks.pod import pod
from benchmarks.restorers import restorers
from benchmarks.scores import scores
from benchmarks.srn import srn
from benchmarks.starts import starts
from benchmarks.train import train
from benchmarks.transfer import transfer

BENCHMARKS = (
    restorers,
    srn,
    maxim,
    kernel_space,
    train,
    adversarial,
    blur2blur,
    transfer,
    blind,
    starts,
    basis,
    conv,
    face,
    deblur,
    data,
    scores,
    pod,
)
# What docs/speed.md shows: one section each, none of more than three quiet minutes.
# `pod` is not among them, for it compiles for an hour.
SHOWN = (
    "restorers",
    "srn",
    "restorers --preset mimo-unet-plus",
    "restorers --preset restormer --size 128x128 --rounds 1",
    "maxim",
    "kernel-space",
    "train",
    "adversarial",
    "blur2blur",
    "transfer",
    "transfer --published --size 256x256",
    "blind",
    "blind --share 4 --shallow --batches 1,8 --steps 1",
    "starts",
    "basis",
    "conv",
    "face",
    "deblur",
    "data",
    "scores",
)
KEYS = {"allow_extra_args": True, "ignore_unknown_options": True}
app = typer.Typer(help=__doc__, add_completion=False, no_args_is_help=True)
for benchmark in BENCHMARKS:
    # Keys of a config may follow.
    app.command(context_settings=KEYS if benchmark is pod else None)(benchmark)


class Platform(StrEnum):
    cpu = "cpu"
    gpu = "gpu"
    tpu = "tpu"


@app.callback()
def choose(
    platform: Annotated[
        Platform | None, typer.Option(help="By default whatever JAX finds.")
    ] = None,
) -> None:
    if platform is not None:
        choose_platform(platform.value)


@app.command("all")
def every(write: Write = False) -> None:
    """Every benchmark, one after the other; what cannot run here says why."""
    failed = False
    for words in SHOWN:
        command = [sys.executable, __file__, *words.split()]
        run = subprocess.run(
            [*command, "--write"] if write else command,
            stderr=subprocess.PIPE,
            text=True,
        )
        if run.returncode:
            reason = (run.stderr.strip().splitlines() or ["no reason given"])[-1]
            typer.echo(f"{words}: not measured: {reason}", err=True)
        # 2 is a sentence about this machine, anything else a mistake.
        failed |= run.returncode not in (0, 2)
    raise typer.Exit(int(failed))


if __name__ == "__main__":
    app()
