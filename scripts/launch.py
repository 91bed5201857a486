"""Start one training run on several hosts, one process each.

    python scripts/launch.py --hosts node0,node1 -- \
        --config configs/kernel_space_gopro.py --workdir /shared/runs/gopro

Every host must see this folder and the work directory at the same path. Hosts are
reached by ssh; "localhost" is this machine, and may be named more than once. The first
host coordinates. When one process ends badly, the others are stopped.
"""

import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer


def launch(
    words: Annotated[list[str], typer.Argument(help="What `train` takes, after --.")],
    hosts: Annotated[str, typer.Option(help="Their names, with commas between.")],
    port: Annotated[int, typer.Option(help="Of the first host.")] = 29411,
) -> None:
    """Start one training run on several hosts."""
    names = hosts.split(",")
    runs = []
    for index, host in enumerate(names):
        command = [
            *(sys.executable, "-m", "kernel_space_jax", "train", *words),
            f"--coordinator={names[0]}:{port}",
            f"--processes={len(names)}",
            f"--process={index}",
        ]
        if host != "localhost":
            there = f"cd {shlex.quote(str(Path.cwd()))} && {shlex.join(command)}"
            # -tt: the remote process ends with this one.
            command = ["ssh", "-tt", host, there]
        runs.append(subprocess.Popen(command))

    def stop(*_: object) -> None:
        for run in runs:
            run.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while any(run.poll() is None for run in runs):
        if any(run.returncode for run in runs):
            stop()
            break
        time.sleep(0.2)
    raise typer.Exit(max(abs(run.wait()) for run in runs))


if __name__ == "__main__":
    typer.run(launch)
