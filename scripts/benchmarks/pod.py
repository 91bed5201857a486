"""Programs compiled for TPU slices that are not here: what they hold, move and send.

The TPU compiler runs on any CPU. What it says of a program is no timing: the bound is
the least time that the chip's peaks allow, and a real step takes longer.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Annotated, Any, NamedTuple

import jax
import typer
from benchmarks.blind import counts_of
from benchmarks.collectives import Sent, collectives
from benchmarks.common import (
    JsonFile,
    Report,
    Write,
    choose_platform,
    machine,
    refuse,
)
from benchmarks.pod_programs import (
    Program,
    published_search,
    search_step,
    training_step,
)
from benchmarks.roofline import (
    CHIPS,
    Chip,
    all_reduce_seconds,
    bound,
    efficiency,
    largest_batch,
)

from kernel_space_jax.backend import compiling_for
from kernel_space_jax.errors import UserError

BLIND = "blind"
SIZES = (4, 16, 64, 256)  # chips of the predicted efficiencies
Make = Callable[[int], Program]  # of so many examples or photos a chip


class Compiled(NamedTuple):
    """What the compiler says of a program on one chip."""

    seconds: float  # of the compiler
    arguments: int
    temporaries: int
    held: int  # bytes at once: arguments, temporaries, answers that overwrite neither
    flops: float
    moved: float  # bytes from and to the chip's memory
    sent: dict[str, Sent]
    learned: int  # numbers whose gradients all chips must add up


def pod(
    context: typer.Context,
    topology: Annotated[
        str, typer.Option(help="Slices; the first takes all batches, others the last.")
    ] = "v5e:2x2,v5e:16x16",
    config: Annotated[
        str, typer.Option(help=f"Configs to train, and {BLIND}: the joint search.")
    ] = f"kernel_space_gopro,nafnet_gopro,blur2blur,{BLIND}",
    batches: Annotated[
        str, typer.Option(help="Examples or photos a chip, such as 1,4.")
    ] = "1,4",
    side: Annotated[
        int, typer.Option(min=64, help="Pixels of a photo of the search.")
    ] = 256,
    share: Annotated[
        int, typer.Option(min=1, max=8, help="Widths of the search over this.")
    ] = 1,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """Memory, roofline bound and collectives of programs for a TPU that is not here.

    Any key of the configs may follow: --config.dtype=bfloat16. It needs libtpu.
    """
    if not find_spec("libtpu"):
        refuse("no libtpu: pip install '.[tpu]' in the project's folder")
    names, counts = topology.split(","), counts_of(batches)
    chip = _chip(names)
    choose_platform("cpu")
    say = Report("pod")
    device = machine(libtpu=version("libtpu"))
    say(f"compiled on {device}\n\n{_assumptions(chip)}\n\n{COLUMNS}")
    figures: dict[str, Any] = {"machine": device, "programs": {}}
    for program in config.split(","):
        make = _maker(program, context.args, side, share)
        found = figures["programs"][program] = []
        for slice_ in names:
            with compiling_for(_devices(slice_)):
                for each in counts if slice_ == names[0] else counts[-1:]:
                    row = _compiled(make, each)
                    said = _row(chip, row) if row else "does not fit" + " |" * 9
                    say(f"| {program} | {slice_} | {each} | {said} |")
                    if row:
                        found.append({"slice": slice_, "each": each} | row._asdict())
    say(f"\n{SUMMARY}")
    for program, found in figures["programs"].items():
        if found:
            say(f"| {program} | {_summary(chip, names[0], found)} |")
    say.close(figures, json_file, write)


COLUMNS = (
    "| program | slice | a chip | arguments, GB | temporaries, GB | Tflop "
    "| moved, GB | sent a step | bound, ms | what binds | of the peak, % "
    "| compilation, s |\n|---|---|---:|---:|---:|---:|---:|---|---:|---|---:|---:|"
)
SUMMARY = (
    "| program | largest batch a chip | "
    + " | ".join(f"{size} chips" for size in SIZES)
    + " |\n|---|---:|"
    + "---:|" * len(SIZES)
)


def _assumptions(chip: Chip) -> str:
    """What the figures rest on, as a list."""
    lines = (
        "These are the TPU compiler's words and peaks of the chip, not timings.",
        f"A chip has {chip.peak / 1e12:.0f} Tflop/s in bf16, "
        f"{chip.bandwidth / 1e9:.0f} GB/s of memory and {chip.memory / 1e9:.1f} GB "
        "that a program may hold.",
        "The bound is the larger of flops / peak and bytes moved / bandwidth. Every "
        "flop counts as bf16; whatever one fused operation reads from the memory or "
        "writes to it counts as moved.",
        "The body of a loop counts once: of a search this is one step, with what "
        "VGG19 sees in the photo, which is found once.",
        "The largest batch lies on a straight line through the memory at the smallest "
        "and the largest batch that were compiled: an estimate.",
        "Efficiencies are predicted for a fixed batch a chip, from the bound and the "
        "all-reduces of one program: first if none of them overlaps with computing, "
        "then if all does.",
        f"An all-reduce is a ring over one link, one way ({chip.link / 1e9:.0f} GB/s), "
        f"and {1e6 * chip.hop:.0f} us a hop along both sides of a square of chips.",
        "Data that come too late, hosts and slow chips are left out; searches that "
        "stop early leave their chip idle.",
        "Streams of files hold pairs of 8-bit crops.",
    )
    return "\n".join(f"- {line}" for line in lines)


def _maker(program: str, words: list[str], side: int, share: int) -> Make:
    if program != BLIND:
        return partial(training_step, program, words)
    shape = (1, side, side, 3)
    return lambda each: search_step(published_search(shape, share), shape, each)


def _chip(names: list[str]) -> Chip:
    """The chip that all slices are made of; a sentence and the end without figures."""
    kinds = {name.partition(":")[0] for name in names}
    if len(kinds) > 1 or not kinds <= CHIPS.keys():
        refuse(
            f"--topology names {', '.join(names)}; give slices of {' or '.join(CHIPS)}"
        )
    return CHIPS[kinds.pop()]


def _devices(name: str) -> list[jax.Device]:
    """The chips of a slice, as the compiler knows them."""
    # Without this libtpu asks the network which TPU this machine is.
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
    from jax.experimental.topologies import get_topology_desc

    try:
        return get_topology_desc(platform="tpu", topology_name=name).devices
    except jax.errors.JaxRuntimeError as error:
        refuse(f"the TPU compiler knows no slice {name}: {str(error).splitlines()[0]}")


def _compiled(make: Make, each: int) -> Compiled | None:
    """The program of a batch, or None where a chip cannot hold it."""
    try:
        program = make(each)
    except UserError as error:
        refuse(str(error))
    start = time.perf_counter()
    try:
        done: Any = program.lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return None
    seconds = time.perf_counter() - start
    sizes, costs = done.memory_analysis(), done.cost_analysis()
    arguments, temporaries = sizes.argument_size_in_bytes, sizes.temp_size_in_bytes
    new = sizes.output_size_in_bytes - sizes.alias_size_in_bytes
    return Compiled(
        seconds,
        arguments,
        temporaries,
        arguments + temporaries + new,
        costs["flops"],
        costs["bytes accessed"],
        collectives(done.as_text()),
        program.learned,
    )


def _row(chip: Chip, found: Compiled) -> str:
    least = bound(chip, found.flops, found.moved)
    sent = [
        f"{s.count} {kind}, {s.nbytes / 1e6:.3g} MB" for kind, s in found.sent.items()
    ]
    cells = (
        f"{found.arguments / 1e9:.3g}",
        f"{found.temporaries / 1e9:.3g}",
        f"{found.flops / 1e12:.3g}",
        f"{found.moved / 1e9:.3g}",
        "; ".join(sent) or "nothing",
        f"{1e3 * least.seconds:.3g}",
        least.binds,
        f"{100 * least.arithmetic / least.seconds:.0f}",
        f"{found.seconds:.0f}",
    )
    return " | ".join(cells)


def _summary(chip: Chip, first: str, found: list[dict[str, Any]]) -> str:
    """The largest batch, and the efficiency of the last program of the first slice."""
    rows = [row for row in found if row["slice"] == first]
    held = {row["each"]: row["held"] for row in rows}
    largest = largest_batch(chip, held)
    last = rows[-1]
    alone = bound(chip, last["flops"], last["moved"]).seconds
    cells = ["-" if largest is None else str(largest)]
    for size in SIZES:
        if last["sent"].keys() - {"all-reduce"}:
            cells.append("-")
            continue
        sent = last["sent"].get("all-reduce", Sent())
        sending = all_reduce_seconds(chip, sent.count, sent.nbytes, size)
        shares = [f"{100 * share:.1f}" for share in efficiency(alone, sending)]
        cells.append(" to ".join(dict.fromkeys(shares)) + " %")
    return " | ".join(cells)
