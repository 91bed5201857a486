"""What every benchmark shares: taking turns, compiling apart, naming the machine."""

import json
import os
import platform
import re
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import jax
import typer

Call = Callable[[], object]
Positive = Annotated[int, typer.Option(min=1)]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Also write the figures to this file.")
]


def race(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Median milliseconds of each call; the calls take turns, after one warm-up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for warm in (False, *[True] * rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if warm:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: median(values) for name, values in times.items()}


def compiled(function: Callable, *args: Any, **options: Any) -> tuple[Callable, float]:
    """The program of `function` for these arguments, and the seconds it took."""
    lowered = jax.jit(function, **options).lower(*args)
    start = time.perf_counter()
    return lowered.compile(), time.perf_counter() - start


def pytorch() -> Any:
    """PyTorch with one thread a core; where it is missing, a sentence and the end."""
    if not find_spec("torch"):
        typer.echo("no PyTorch: pip install 'kernel-space-jax[torch]'", err=True)
        raise typer.Exit(2)
    # Read when PyTorch is first imported. Threads that wait by spinning take seconds a
    # call where other work shares the cores, which would flatter us.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    return torch


def machine(**versions: str) -> str:
    """One line: device, cores and versions."""
    names = {"Python": platform.python_version(), "jax": jax.__version__, **versions}
    listed = ", ".join(f"{name} {version}" for name, version in names.items())
    info = Path("/proc/cpuinfo")
    cpu = re.search("model name\\s*: (.+)", info.read_text() if info.exists() else "")
    return f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores; {listed}"


def store(path: Path | None, figures: dict[str, Any]) -> None:
    if path:
        path.write_text(json.dumps(figures, indent=2) + "\n")
