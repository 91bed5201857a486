"""What `pod` says of compiled programs: assumptions, and the cells of two tables."""

from typing import Any, NamedTuple

from benchmarks.collectives import Sent
from benchmarks.roofline import (
    Chip,
    all_reduce_seconds,
    bound,
    efficiency,
    largest_batch,
)

SIZES = (4, 16, 64, 256)  # chips of the predicted efficiencies
COLUMNS = (
    "| program | slice | a chip | arguments, GB | temporaries, GB | Tflop "
    "| moved, GB | the compiler's count, GB | sent a step | bound, ms | what binds "
    "| of the peak, % | compilation, s |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---|---:|---|---:|---:|"
)
SUMMARY = (
    "| program | largest batch a chip | "
    + " | ".join(f"{size} chips" for size in SIZES)
    + " |\n|---|---:|"
    + "---:|" * len(SIZES)
)


class Compiled(NamedTuple):
    """What the compiler says of a program on one chip."""

    seconds: float  # of the compiler
    arguments: int
    temporaries: int
    held: int  # bytes at once: arguments, temporaries, answers that overwrite neither
    flops: float
    moved: int  # bytes from and to the chip's main memory
    accessed: float  # the compiler's count, in which arrays on the core are moved too
    sent: dict[str, Sent]
    learned: int  # numbers whose gradients all chips must add up


def assumptions(chip: Chip) -> str:
    """What the figures rest on, as a list."""
    lines = (
        "These are the TPU compiler's words and peaks of the chip, not timings.",
        f"A chip has {chip.peak / 1e12:.0f} Tflop/s in bf16, "
        f"{chip.bandwidth / 1e9:.0f} GB/s of memory and {chip.memory / 1e9:.1f} GB "
        "that a program may hold.",
        "The bound is the larger of flops / peak and bytes moved / bandwidth. Every "
        "flop counts as bf16. Moved are the arrays that an operation reads from the "
        "main memory or writes to it, filled up to whole tiles; what stays on the core "
        "is free. The compiler's own count has it too.",
        "The body of a loop counts once: of micro-batches the first, of a search one "
        "step, with what VGG19 sees in the photo, which is found once.",
        "The largest batch lies on a straight line through the memory at the smallest "
        "and the largest batch that were compiled: an estimate.",
        "Efficiencies are predicted for a fixed batch a chip, from the bound and the "
        "all-reduces of one program: first if none of them overlaps with computing, "
        "then if all does. A real step is longer than the bound, and hides more.",
        f"An all-reduce is a ring over one link, one way ({chip.link / 1e9:.0f} GB/s), "
        f"and {1e6 * chip.hop:.0f} us a hop along both sides of a square of chips.",
        "Data that come too late, hosts and slow chips are left out; searches that "
        "stop early leave their chip idle.",
        "Streams of files hold pairs of 8-bit crops.",
    )
    return "\n".join(f"- {line}" for line in lines)


NO_ROW = "does not fit" + " |" * (COLUMNS.splitlines()[0].count("|") - 5)


def row_of(chip: Chip, found: Compiled) -> str:
    """The cells of a compiled program."""
    least = bound(chip, found.flops, found.moved)
    sent = [
        f"{s.count} {kind}, {s.nbytes / 1e6:.3g} MB" for kind, s in found.sent.items()
    ]
    cells = (
        f"{found.arguments / 1e9:.3g}",
        f"{found.temporaries / 1e9:.3g}",
        f"{found.flops / 1e12:.3g}",
        f"{found.moved / 1e9:.3g}",
        f"{found.accessed / 1e9:.3g}",
        "; ".join(sent) or "nothing",
        f"{1e3 * least.seconds:.3g}",
        least.binds,
        f"{100 * least.arithmetic / least.seconds:.0f}",
        f"{found.seconds:.0f}",
    )
    return " | ".join(cells)


def summary_of(chip: Chip, first: str, found: list[dict[str, Any]]) -> str:
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
