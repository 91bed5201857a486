"""A training step on 1, 2, 4, 8 devices, and on two processes: one loss for all.

The devices are the host's, which XLA can split. They share its cores, so nothing gets
faster here: shown is that all compute the same, and what they send each other.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import jax
import numpy as np
import typer
from benchmarks.collectives import collectives
from benchmarks.common import JsonFile, Positive, Report, Write, machine, refuse
from benchmarks.hlo import parsed
from benchmarks.timing import race

from kernel_space_jax.training.config import defaults
from kernel_space_jax.training.engine import build, numbered

STEPS, SIDE = 3, 256
# Of a loss, relative: sums in another order.
ALLOWED = 1e-4


def scaling(
    width: Positive = 8,
    batch: Annotated[int, typer.Option(min=8, help="A multiple of 8.")] = 8,
    devices: Annotated[str, typer.Option(help="How many, such as 1,2,4,8.")] = (
        "1,2,4,8"
    ),
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """A training step of a small kernel space on several devices of this CPU."""
    if batch % 8:
        raise typer.BadParameter("--batch must be a multiple of 8")
    counts = [int(count) for count in devices.split(",")]
    say = Report("scaling")
    say(f"{machine()}\n\nwidth {width}, {batch} x {SIDE}x{SIDE}\n")
    say(
        "| processes | devices of each | losses of the first steps "
        "| apart from the first row | collectives | MB sent | s a step |\n"
        "|---:|---:|---|---:|---|---:|---:|"
    )
    figures: list[dict[str, Any]] = []
    for processes, each in [*((1, count) for count in counts), (2, 1)]:
        found = _measured(processes, each, width, batch)
        first = (figures or [found])[0]["losses"]
        pairs = zip(found["losses"], first, strict=True)
        apart = max(abs(a - b) / abs(b) for a, b in pairs)
        if not apart < ALLOWED:
            refuse(f"{processes} x {each} devices: losses differ by {apart:.1e}")
        losses = ", ".join(f"{loss:.5f}" for loss in found["losses"])
        sent = ", ".join(f"{kind} {n}" for kind, (n, _) in found["sent"].items())
        megabytes = sum(nbytes for _, nbytes in found["sent"].values()) / 1e6
        say(
            f"| {processes} | {each} | {losses} | {apart:.1e} | {sent or 'none'} "
            f"| {megabytes:.2f} | {found['seconds']:.2f} |"
        )
        row = {"processes": processes, "devices": each, "apart": apart}
        figures.append(row | found)
    say.close(json_file, write, {"scaling": figures})


def _measured(processes: int, each: int, width: int, batch: int) -> dict[str, Any]:
    """What the first of the processes says of its steps."""
    flags = os.environ.get("XLA_FLAGS", "")
    count = f"--xla_force_host_platform_device_count={each}"
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    words = [str(word) for word in (processes, port, width, batch)]
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.scaling", str(index), *words],
            cwd=Path(__file__).parents[1],
            env=os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": f"{flags} {count}"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(processes)
    ]
    said = [run.communicate()[0] for run in runs]
    if any(run.returncode for run in runs):
        raise typer.Exit(1)
    # What connects the processes talks too.
    return json.loads(said[0].splitlines()[-1])


def _serve(index: int, processes: int, port: int, width: int, batch: int) -> None:
    """Some steps on this process's share of the batch."""
    if processes > 1:
        jax.distributed.initialize(f"localhost:{port}", processes, index)
    config = defaults("kernel_space")
    config.batch_size, config.data.crop = batch, SIDE
    model = config.model
    model.width = width
    model.front_blocks = model.back_blocks = model.code_blocks = 1
    engine = build(config)
    draw = np.random.default_rng(0)
    images = {
        name: draw.random((batch, SIDE, SIDE, 3), np.float32)[index::processes]
        for name in ("sharp", "blurry")
    }
    stage = engine.stages[0]
    state, step = engine.start(), engine.place.step(engine.learn(stage))
    frozen = engine.place.put(engine.task.frozen)
    rows = engine.place.batch(numbered(images, 0, stage))
    program = step.lower(state, frozen, rows).compile()
    losses = []

    def advance() -> None:
        nonlocal state
        state, metrics = program(state, frozen, rows)
        losses.append(float(metrics["loss"]))

    times = race({"": advance}, STEPS)[""]
    sent = collectives(parsed(program.as_text()))
    found = {
        "losses": losses[:STEPS],
        "seconds": median(times) / 1e3,
        "sent": {kind: (one.count, one.nbytes) for kind, one in sent.items()},
    }
    if index == 0:
        sys.stdout.write(f"\n{json.dumps(found)}\n")


if __name__ == "__main__":
    _serve(*map(int, sys.argv[1:]))
