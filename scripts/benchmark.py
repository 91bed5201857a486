"""How fast the parts run on this machine, beside stock XLA and PyTorch.

    python scripts/benchmark.py --help
    python scripts/benchmark.py all --quick --write     # the tables of docs/speed.md

What is compared takes turns, round by round, so that a busy machine slows every
contestant alike. Figures are medians of warm rounds; compilation is timed apart.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import jax
import typer
from benchmarks.adversarial import adversarial
from benchmarks.basis import basis
from benchmarks.blind import blind
from benchmarks.blur2blur import blur2blur
from benchmarks.common import (
    KEEPING,
    PAGE,
    JsonFile,
    Report,
    Write,
    choose_platform,
    machine,
)
from benchmarks.conv import conv
from benchmarks.data import data
from benchmarks.deblur import deblur
from benchmarks.face import face
from benchmarks.kernel_space import kernel_space
from benchmarks.maxim import maxim
from benchmarks.pod import pod
from benchmarks.restorers import restorers
from benchmarks.rows import draw
from benchmarks.scaling import scaling
from benchmarks.scores import scores
from benchmarks.srn import srn
from benchmarks.starts import starts
from benchmarks.train import train
from benchmarks.transfer import transfer

from kernel_space_jax.evaluation.tables import put_section

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
    scaling,
    pod,
)
# Whole sizes, a section of docs/speed.md each. `pod` is not among them, for it compiles
# for an hour.
SHOWN = (
    "kernel-space",
    "transfer",
    "transfer --published --size 256x256",
    "--keep-memory transfer",
    "--keep-memory restorers --preset nafnet-32 --size 256x256",
    "restorers",
    "restorers --preset nafnet-32 --size 256x256 --torch-compile",
    "restorers --preset mimo-unet-plus",
    "restorers --preset restormer --size 128x128 --rounds 1",
    "srn",
    "maxim",
    "adversarial",
    "blur2blur",
    "blind",
    "blind --share 4 --shallow --batches 1,8,32 --steps 1",
    "starts",
    "basis",
    "face",
    "conv",
    "data",
    "scores",
    "scaling",
    "train",
    "deblur",
)
# What has a rival, in smaller sizes: a quarter of an hour in all.
QUICK = (
    "kernel-space --batch 1 --rounds 3",
    "transfer --size 256x256 --rounds 3",
    "restorers --shallow --size 128x128 --rounds 2",
    "srn --shallow --size 128 --rounds 3",
    "maxim --size 256x256 --rounds 2",
    "adversarial --width 32 --blocks 2 --size 128",
    "blur2blur --width 16 --blocks 1",
    "blind --share 4 --shallow --batches 1,8 --steps 1 --rounds 2",
    "basis --size 256",
    "face --width 64 --style 64",
    "conv",
    "data --height 360 --width 640 --count 16 --network compact --steps 1",
    "scores --pairs 10",
)
README = PAGE.parents[1] / "README.md"
README_SHOWS = {
    "kernel space, training step": "a training step of the kernel space",
    "blind search": "a step of the joint blind search",
    "per-pixel restoration": "restoration under per-pixel blur",
}
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
    keep_memory: Annotated[
        bool,
        typer.Option(
            "--keep-memory",
            help="Linux: memory that a call gave back stays with the process.",
        ),
    ] = False,
) -> None:
    # Compilation is timed, so nothing compiled is taken from a folder.
    jax.config.update("jax_enable_compilation_cache", False)
    # The C library reads them when a process starts.
    if keep_memory and not KEEPING.items() <= os.environ.items():
        os.environ.update(KEEPING)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    if platform is not None:
        choose_platform(platform.value)


@app.command("all")
def every(
    quick: Annotated[
        bool, typer.Option("--quick", help="Smaller ones, in a quarter of an hour.")
    ] = False,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """Every benchmark, one after the other; what cannot run here says why."""
    failed, parts = False, {}
    for words in QUICK if quick else SHOWN:
        typer.echo(f"\n{words}")
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "figures.json"
            command = [sys.executable, __file__, *words.split(), "--json", str(file)]
            run = subprocess.run(
                [*command, "--write"] if write else command,
                stderr=subprocess.PIPE,
                text=True,
            )
            if file.exists():
                parts[words] = json.loads(file.read_text())
        typer.echo(f"{words}: {time.monotonic() - began:.0f} s")
        if run.returncode:
            reason = (run.stderr.strip().splitlines() or ["no reason given"])[-1]
            typer.echo(f"{words}: not measured: {reason}", err=True)
        # 2 is a sentence about this machine, anything else a mistake.
        failed |= run.returncode not in (0, 2)
    summary(parts, write)
    if json_file:
        json_file.write_text(json.dumps(parts, indent=2) + "\n")
    raise typer.Exit(int(failed))


def summary(parts: dict[str, Any], write: bool) -> None:
    """All rows with a ratio, the slowest of ours first; and their picture."""
    rows = {
        name: row
        for words, part in parts.items()
        # The same rows again, not as a user finds them.
        if not words.startswith("--keep-memory")
        for name, row in part["rows"].items()
    }
    if not rows:
        return
    rows = dict(sorted(rows.items(), key=lambda item: item[1]["ratio"]))
    say = Report("all")
    say(
        f"{machine()}\n\nHow often ours is done while the fastest other is done once, "
        "and the least and the most of a round\n"
    )
    say("| | ratio | of rounds |\n|---|---:|---:|")
    for name, row in rows.items():
        low, high = row["spread"]
        say(f"| {name} | {row['ratio']:.2f} | {low:.2f}–{high:.2f} |")
    if write:
        put_section(README, "speed", _three_lines(rows))
        say("\n![Ratios](pictures/speed.png)")
        spreads = [row["spread"] for row in rows.values()]
        ratios = {name: row["ratio"] for name, row in rows.items()}
        draw(ratios, spreads, machine(), PAGE.parent / "pictures" / "speed.png")
        say.close(None, write)


def _three_lines(rows: dict[str, Any]) -> str:
    """What README says: of each kind of row the one that is slowest for us."""
    lines = []
    for begin, what in README_SHOWS.items():
        found = [row["ratio"] for name, row in rows.items() if name.startswith(begin)]
        if found:
            lines.append(f"- {what}: {min(found):.2f} times as fast as PyTorch\n")
    return "".join(lines)


if __name__ == "__main__":
    app()
