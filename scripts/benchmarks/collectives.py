"""What chips send each other: the collectives of a compiled program."""

from typing import NamedTuple

from benchmarks.hlo import Program

KINDS = (
    *("all-reduce", "all-gather", "reduce-scatter"),
    *("all-to-all", "collective-permute", "collective-broadcast"),
)


class Sent(NamedTuple):
    """Collectives of one kind: how many, and the arrays that come out of them."""

    count: int = 0
    numbers: int = 0
    nbytes: int = 0


def collectives(program: Program) -> dict[str, Sent]:
    """The collectives of a program, by kind; kinds that it has none of are left out."""
    found: dict[str, Sent] = {}
    for one in program:
        # `kind-start` begins what `kind-done` waits for.
        kind = one.kind.removesuffix("-start")
        if kind not in KINDS:
            continue
        arrays = one.arrays
        if kind != one.kind and kind != "all-reduce":
            # What comes out stands after the operands.
            arrays = arrays[len(one.operands) : 2 * len(one.operands)]
        old = found.get(kind, Sent())
        found[kind] = Sent(
            old.count + 1,
            old.numbers + sum(array.numbers for array in arrays),
            old.nbytes + sum(array.nbytes for array in arrays),
        )
    return found
