"""What every benchmark shares: platform, turns, compiling apart, the written page."""

import json
import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Annotated, Any, NoReturn

import jax
import typer

from kernel_space_jax.evaluation.tables import put_section

Call = Callable[[], object]
Positive = Annotated[int, typer.Option(min=1)]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Also write the figures to this file.")
]
Write = Annotated[
    bool, typer.Option("--write", help="Also put the table into docs/speed.md.")
]
PAGE = Path(__file__).parents[2] / "docs" / "speed.md"


def refuse(sentence: str) -> NoReturn:
    """Ends the command: what cannot be measured here, and what to do."""
    typer.echo(sentence, err=True)
    raise typer.Exit(2)


def choose_platform(name: str) -> None:
    """Makes JAX, here and in child processes, use the cpu, the gpu or the tpu."""
    # What JAX calls the GPUs of the two makers.
    known = {"gpu": ("cuda", "rocm")}.get(name, (name,))
    for backend in known:
        jax.config.update("jax_platforms", backend)
        try:
            jax.devices()
        except (RuntimeError, AssertionError):  # JAX raises either.
            continue
        os.environ["JAX_PLATFORMS"] = backend
        return
    refuse(f"JAX finds no {name} here; leave out --platform or install jax for it")


def only_on(name: str, reason: str) -> None:
    """Refuses a part that makes sense on one platform alone."""
    if jax.default_backend() != name:
        refuse(f"{reason}; run it with --platform {name}")


def race(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Median milliseconds of each call; the calls take turns, after one warm-up.

    A call returns when its work is done: ours blocks until ready, see also `theirs`.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for warm in (False, *[True] * rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if warm:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: median(values) for name, values in times.items()}


def compiled(function: Callable, *args: Any, **options: Any) -> tuple[Any, float]:
    """The program of `function` for these arguments, and the seconds it took."""
    lowered = jax.jit(function, **options).lower(*args)
    start = time.perf_counter()
    return lowered.compile(), time.perf_counter() - start


def program_gigabytes(program: Any) -> float:
    """What a compiled program holds at once: arguments, answers and between."""
    sizes = program.memory_analysis()
    parts = ("argument", "output", "temp")
    return sum(getattr(sizes, f"{part}_size_in_bytes") for part in parts) / 1e9


def pytorch() -> Any:
    """PyTorch on the platform of JAX; where that is not, a sentence and the end."""
    if not find_spec("torch"):
        refuse("no PyTorch: pip install '.[torch]' in the project's folder")
    if jax.default_backend() not in ("cpu", "gpu"):
        refuse("PyTorch runs on the CPU and on GPUs; choose --platform cpu")
    # Read when PyTorch is first imported. Threads that wait by spinning take seconds a
    # call where other work shares the cores, which would flatter us.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    if jax.default_backend() == "gpu":
        if not torch.cuda.is_available():
            refuse("PyTorch sees no GPU; install its GPU build, or --platform cpu")
        # Both in full single precision: their shortcuts differ.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        jax.config.update("jax_default_matmul_precision", "highest")
    return torch


def their_device() -> str:
    """Where PyTorch must compute to be compared with JAX."""
    return "cuda" if jax.default_backend() == "gpu" else "cpu"


def theirs(call: Call) -> Call:
    """A call of PyTorch that returns when the device is done."""
    if their_device() == "cpu":
        return call
    import torch

    def finished() -> object:
        answer = call()
        torch.cuda.synchronize()
        return answer

    return finished


def machine(**versions: str) -> str:
    """One line: device, cores and versions."""
    names = {"Python": platform.python_version(), "jax": jax.__version__, **versions}
    listed = ", ".join(f"{name} {version}" for name, version in names.items())
    info = Path("/proc/cpuinfo")
    cpu = re.search("model name\\s*: (.+)", info.read_text() if info.exists() else "")
    device = jax.devices()[0]
    host = f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores"
    kind = "" if device.platform == "cpu" else f"{device.device_kind}; "
    return f"{kind}{host}; {listed}"


class Report:
    """What a benchmark says: shown at once, and kept for docs/speed.md."""

    def __init__(self, title: str) -> None:
        self.title, self.lines = title, list[str]()

    def __call__(self, text: str) -> None:
        typer.echo(text)
        self.lines.append(text)

    def close(self, figures: dict[str, Any], file: Path | None, write: bool) -> None:
        """Writes the figures to `file`, and the text over its section of the page."""
        if file:
            file.write_text(json.dumps(figures, indent=2) + "\n")
        if write:
            words = [word for word in sys.argv[1:] if word != "--write"]
            command = shlex.join(["python", "scripts/benchmark.py", *words])
            text = "\n".join([f"## {self.title}", "", f"    {command} --write", ""])
            put_section(PAGE, self.title, "\n".join([text, *self.lines]) + "\n")


def race_step(
    say: Report,
    calls: dict[str, Call],
    rounds: int,
    *,
    seconds: float,
    gigabytes: float,
    difference: float,
) -> dict[str, Any]:
    """Times a step, ours first, and says what it took; the figures.

    `seconds` are those of ours in compilation, `difference` is that of the losses.
    """
    ms = race(calls, rounds)
    ratio = min(list(ms.values())[1:]) / ms["ours"]
    say(f"| {' | '.join(ms)} | best torch / ours | compilation, s | memory, GB |")
    say("|---:" * (len(ms) + 3) + "|")
    cells = [f"{value:.0f}" for value in ms.values()]
    cells += [f"{ratio:.2f}", f"{seconds:.1f}", f"{gigabytes:.2f}"]
    say(f"| {' | '.join(cells)} |\n\nThe losses differ by {difference:.1e}.")
    return {
        "ms": ms,
        "ratio": ratio,
        "compile_s": seconds,
        "program_gb": gigabytes,
        "difference": difference,
    }
