"""What every benchmark shares: its options, the platform, the written page."""

import json
import os
import platform
import re
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, NoReturn

import jax
import typer
from benchmarks.rows import HEAD, Row
from benchmarks.timing import Call, peak, race

from kernel_space_jax.evaluation.tables import put_section

Positive = Annotated[int, typer.Option(min=1)]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Also write the figures to this file.")
]
Write = Annotated[
    bool, typer.Option("--write", help="Also put the table into docs/speed.md.")
]
# The C library's: one pool for all threads, which gives nothing back below 32 GB.
KEEPING = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(32 * 2**30),
}
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


def _words(arguments: list[str]) -> list[str]:
    """The arguments but --write and --json FILE, which change no figure."""
    kept = [word for word in arguments if word != "--write"]
    if "--json" in kept:
        place = kept.index("--json")
        del kept[place : place + 2]
    return kept


class Report:
    """What a benchmark says: shown at once, and kept for docs/speed.md."""

    def __init__(self, title: str) -> None:
        kept = ", memory kept" if KEEPING.items() <= os.environ.items() else ""
        self.title, self.lines, self.rows = title + kept, list[str](), list[Row]()
        self.unequal: list[str] = []

    def __call__(self, text: str) -> None:
        typer.echo(text)
        self.lines.append(text)

    def compare(
        self,
        name: str,
        calls: dict[str, Call],
        rounds: int,
        *,
        difference: float,
        allowed: float,
        **known: float,
    ) -> None:
        """Times the calls, ours first, and says the row; unequal work is not timed."""
        if not difference < allowed:
            self.unequal.append(
                f"{name}: ours and the other differ by {difference:.1e}, more than "
                f"{allowed:.0e}: not timed"
            )
            return
        self.add(Row(name, race(calls, rounds), difference, peak=peak(), **known))

    def add(self, row: Row) -> None:
        """Says a row, under the head of the table."""
        if not self.rows:
            self(HEAD)
        self.rows.append(row)
        self(row.line())

    def close(
        self, file: Path | None, write: bool, figures: dict[str, Any] | None = None
    ) -> None:
        """Writes the figures to `file`, and the text over its section of the page."""
        if self.unequal and not self.rows:
            refuse(self.unequal[0])
        for sentence in self.unequal:
            self(f"\n{sentence}.")
        if file:
            rows = {row.name: row.figures() for row in self.rows}
            found = {"machine": machine(), "title": self.title, "rows": rows}
            file.write_text(json.dumps(found | (figures or {}), indent=2) + "\n")
        if write:
            words = _words(sys.argv[1:])
            command = shlex.join(["python", "scripts/benchmark.py", *words])
            text = "\n".join([f"## {self.title}", "", f"    {command} --write", ""])
            put_section(PAGE, self.title, "\n".join([text, *self.lines]) + "\n")
