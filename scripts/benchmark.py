"""How fast the parts run on this machine, beside stock XLA and PyTorch.

    python scripts/benchmark.py --help

What is compared takes turns, round by round, so that a busy machine slows every
contestant alike. Figures are medians of warm rounds; compilation is timed apart.
"""

import jax
import typer
from benchmarks.basis import basis
from benchmarks.blind import blind
from benchmarks.conv import conv
from benchmarks.data import data
from benchmarks.deblur import deblur
from benchmarks.kernel_space import kernel_space
from benchmarks.scores import scores
from benchmarks.train import train
from benchmarks.transfer import transfer

app = typer.Typer(help=__doc__, add_completion=False, no_args_is_help=True)
for benchmark in (
    basis,
    blind,
    conv,
    data,
    deblur,
    kernel_space,
    scores,
    train,
    transfer,
):
    app.command()(benchmark)


if __name__ == "__main__":
    jax.config.update("jax_platforms", "cpu")
    app()
