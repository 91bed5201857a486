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
from benchmarks.basis import basis
from benchmarks.blind import blind
from benchmarks.common import Write, choose_platform
from benchmarks.conv import conv
from benchmarks.data import data
from benchmarks.deblur import deblur
from benchmarks.kernel_space import kernel_space
from benchmarks.restorers import restorers
from benchmarks.scores import scores
from benchmarks.train import train
from benchmarks.transfer import transfer

BENCHMARKS = (
    restorers,
    kernel_space,
    train,
    transfer,
    blind,
    basis,
    conv,
    deblur,
    data,
    scores,
)
app = typer.Typer(help=__doc__, add_completion=False, no_args_is_help=True)
for benchmark in BENCHMARKS:
    app.command()(benchmark)


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
    names = [name for name in app_names() if name != "all"]
    missed = 0
    for name in names:
        typer.echo(f"\n{name}", err=True)
        command = [sys.executable, __file__, name, *(["--write"] if write else [])]
        run = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if run.returncode:
            reason = run.stderr.strip().splitlines()[-1:] or ["no reason given"]
            typer.echo(f"{name}: not measured: {reason[0]}", err=True)
            missed += run.returncode != 2
    # 2 is a sentence about this machine, anything else a mistake.
    raise typer.Exit(1 if missed else 0)


def app_names() -> list[str]:
    """The names of the commands, in their order."""
    return list(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


if __name__ == "__main__":
    app()
