"""Verbs that train networks and take them out of a work directory."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from kernel_space_jax.cli.app import app, err, out
from kernel_space_jax.cli.outputs import Overwrite, claim
from kernel_space_jax.errors import unknown

# What JAX calls the machines that a program can be written for.
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
Workdir = Annotated[Path, typer.Option(help="Checkpoints, log, curves, pictures.")]


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def train(
    context: typer.Context,
    config: Annotated[Path, typer.Option(help="A file of configs/.")],
    workdir: Workdir,
    coordinator: Annotated[
        str, typer.Option(help="Several hosts: address:port of the first one.")
    ] = "",
    processes: Annotated[int, typer.Option(help="Several hosts: how many.")] = 0,
    process: Annotated[int, typer.Option(help="Several hosts: which this is.")] = 0,
    pod: Annotated[
        bool, typer.Option("--pod", help="Several hosts that know of each other (TPU).")
    ] = False,
) -> None:
    """Train a network; run it again to go on.

    Any key of the config may follow: --config.steps=1000 --config.model.width=16.
    """
    import jax
    from absl import logging

    # What Orbax logs in pages, the error says in a sentence.
    logging.set_verbosity(logging.FATAL)
    # Before the first array is made.
    if pod:
        jax.distributed.initialize()
    elif processes > 1:
        jax.distributed.initialize(coordinator, processes, process)
    from kernel_space_jax.training import config as configs
    from kernel_space_jax.training import loop

    settings = configs.load_config(config, context.args)
    say = lambda text: err.print(escape(text)) if jax.process_index() == 0 else None
    loop.train(settings, workdir, say=say)


@app.command()
def export(
    workdir: Annotated[
        Path, typer.Argument(help="The work directory of a training run.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")],
    step: Annotated[
        int | None,
        typer.Option(
            min=1, help="The step of the checkpoint to take; without it the best."
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            help="Which network to take, of a training with several, such as critic; "
            "without it the first."
        ),
    ] = None,
    licence: Annotated[
        str, typer.Option(help="What the file says of the licence of the weights.")
    ] = "",
    half: Annotated[
        bool,
        typer.Option(
            "--half", help="Store numbers in 16 bits, for a file of half the size."
        ),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Take the trained network out of a work directory, as one weight file."""
    own = [workdir / name for name in ("config.json", "metrics.jsonl", "checkpoints")]
    claim([output], own, overwrite=overwrite)
    from kernel_space_jax.training.export import export_weights

    made = export_weights(
        workdir,
        output,
        step=step,
        network=network,
        licence=licence or "unknown",
        half=half,
    )
    out.print(f"{escape(str(output))}: step {made.step}, sha256 {made.sha256}")


@app.command("export-program")
def export_program(
    file: Annotated[Path, typer.Argument(help="A weight file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")],
    method: Annotated[
        str | None,
        typer.Argument(help="Of a kernel space, blur or extract; a restorer has none."),
    ] = None,
    size: Annotated[
        int,
        typer.Option(
            min=16, max=4096, help="The side of the images that it takes, in pixels."
        ),
    ] = 256,
    platforms: Annotated[
        str, typer.Option(help=f"Where it shall run, any of {','.join(PLATFORMS)}.")
    ] = "cpu",
    overwrite: Overwrite = False,
) -> None:
    """Write a network with its weights as StableHLO, to run without this package."""
    from kernel_space_jax.training.export import export_stablehlo

    names = platforms.split(",")
    for name in names:
        if name not in PLATFORMS:
            raise unknown("platform", name, PLATFORMS)
    claim([output], [file], overwrite=overwrite)
    count = export_stablehlo(file, method, output, size=size, platforms=names)
    what = f"{method}, " if method else ""
    out.print(f"{escape(str(output))}: {what}{count:,} bytes")
