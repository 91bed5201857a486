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
from typing import Annotated, Any

import jax
import typer
from benchmarks.blind import counts_of
from benchmarks.collectives import collectives
from benchmarks.common import (
    JsonFile,
    Report,
    Write,
    choose_platform,
    machine,
    refuse,
)
from benchmarks.hlo import parsed
from benchmarks.pod_programs import (
    Program,
    published_search,
    search_step,
    training_step,
)
from benchmarks.pod_table import (
    COLUMNS,
    NO_ROW,
    SUMMARY,
    Compiled,
    assumptions,
    row_of,
    summary_of,
)
from benchmarks.roofline import CHIPS, Chip
from benchmarks.traffic import bytes_moved

from kernel_space_jax.backend import Device, compiling_for
from kernel_space_jax.errors import UserError

BLIND = "blind"
PROGRAMS = f"kernel_space_gopro,nafnet_gopro,blur2blur,{BLIND}"
SIDE = 256
Make = Callable[[int], Program]  # of so many examples or photos a chip


def pod(
    context: typer.Context,
    topology: Annotated[
        str, typer.Option(help="Slices; the first takes all batches, others the last.")
    ] = "v5e:2x2,v5e:16x16",
    config: Annotated[
        str, typer.Option(help=f"Configs to train, and {BLIND}: the joint search.")
    ] = PROGRAMS,
    batches: Annotated[
        str, typer.Option(help="Examples or photos a chip, such as 1,4.")
    ] = "1,4",
    side: Annotated[
        int, typer.Option(min=64, help="Pixels of a photo of the search.")
    ] = SIDE,
    share: Annotated[
        int, typer.Option(min=1, max=8, help="Widths of the search over this.")
    ] = 1,
    shallow: Annotated[
        bool, typer.Option("--shallow", help="One block in its networks.")
    ] = False,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """Memory, roofline bound and collectives of programs for a TPU that is not here.

    Any key of the configs may follow: --config.dtype=bfloat16. It needs libtpu.
    """
    if not find_spec("libtpu"):
        refuse("no libtpu: pip install '.[tpu]' in the project's folder")
    if context.args and config == BLIND:
        refuse(f"{context.args[0]} is a key of a config to train; --config names none")
    names, counts = topology.split(","), counts_of(batches)
    chip = _chip(names)
    choose_platform("cpu")
    # A program for chips that are not here cannot be read from JAX's cache.
    jax.config.update("jax_enable_compilation_cache", False)
    say = Report(_title(config, context.args, side, share, shallow))
    device = machine(libtpu=version("libtpu"))
    say(f"compiled on {device}\n\n{assumptions(chip)}\n\n{COLUMNS}")
    figures: dict[str, Any] = {"programs": {}}
    for program in config.split(","):
        make = _maker(program, context.args, (1, side, side, 3), share, shallow)
        found = figures["programs"][program] = []
        for slice_ in names:
            with compiling_for(_devices(slice_)):
                for each in counts if slice_ == names[0] else counts[-1:]:
                    row = _compiled(make, each)
                    said = row_of(chip, row) if row else NO_ROW
                    say(f"| {program} | {slice_} | {each} | {said} |")
                    if row:
                        found.append({"slice": slice_, "each": each} | row._asdict())
    say(f"\n{SUMMARY}")
    for program, found in figures["programs"].items():
        if found:
            say(f"| {program} | {summary_of(chip, names[0], found)} |")
    say.close(json_file, write, figures)


def _title(config: str, words: list[str], side: int, share: int, shallow: bool) -> str:
    """Of the section: what is compiled, so that no other program's table is lost."""
    parts = {
        config.replace(",", ", "): config != PROGRAMS,
        f"side {side}": side != SIDE,
        f"widths over {share}": share > 1,
        "shallow": shallow,
    }
    named = [part for part, stated in parts.items() if stated]
    return ", ".join(["pod", *named, *(word.removeprefix("--") for word in words)])


def _maker(
    program: str,
    words: list[str],
    shape: tuple[int, ...],
    share: int,
    shallow: bool,
) -> Make:
    if program != BLIND:
        return partial(training_step, program, words)
    return partial(search_step, published_search(shape, share, shallow), shape)


def _chip(names: list[str]) -> Chip:
    """The chip that all slices are made of; a sentence and the end without figures."""
    kinds = {name.partition(":")[0] for name in names}
    if len(kinds) > 1 or not kinds <= CHIPS.keys():
        refuse(
            f"--topology names {', '.join(names)}; give slices of {' or '.join(CHIPS)}"
        )
    return CHIPS[kinds.pop()]


def _devices(name: str) -> list[Device]:
    """The chips of a slice, as the compiler knows them."""
    # Without this libtpu asks the network which TPU this machine is.
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
    # No chip is used, so several processes may compile at once.
    os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
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
    text = parsed(done.as_text())
    sizes, costs = done.memory_analysis(), done.cost_analysis()
    arguments, temporaries = sizes.argument_size_in_bytes, sizes.temp_size_in_bytes
    new = sizes.output_size_in_bytes - sizes.alias_size_in_bytes
    return Compiled(
        seconds,
        arguments,
        temporaries,
        arguments + temporaries + new,
        costs["flops"],
        bytes_moved(text),
        costs["bytes accessed"],
        collectives(text),
        program.learned,
    )
