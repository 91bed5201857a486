"""What chips send each other: read from the text of a compiled program."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

KINDS = (
    *("all-reduce", "all-gather", "reduce-scatter"),
    *("all-to-all", "collective-permute", "collective-broadcast"),
)
# An instruction is `%name = shape kind(...)`; `kind-done` only waits for `kind-start`.
INSTRUCTION = re.compile(rf"= (\(.*?\)|\S+) ({'|'.join(KINDS)})(-start)?\(", re.M)
LAYOUT = re.compile(r"\{[^}]*\}")
ARRAY = re.compile(r"[a-z]+(\d*)\w*\[([\d,]*)\]")


class Sent(NamedTuple):
    """Collectives of one kind: how many, and the arrays that come out of them."""

    count: int = 0
    numbers: int = 0
    nbytes: int = 0


def collectives(program: str) -> dict[str, Sent]:
    """The collectives of a program, by kind; kinds that it has none of are left out."""
    found: dict[str, Sent] = {}
    for shape, kind, start in INSTRUCTION.findall(program):
        arrays = list(_arrays(shape))
        # Other kinds start with their operand beside what comes out.
        if start and kind != "all-reduce":
            arrays = arrays[1:2]
        old = found.get(kind, Sent())
        found[kind] = Sent(
            old.count + 1,
            old.numbers + sum(size for size, _ in arrays),
            old.nbytes + sum(size * width for size, width in arrays),
        )
    return found


def _arrays(shape: str) -> Iterator[tuple[int, int]]:
    """How many numbers each array of a shape has, and the bytes of one of them."""
    for bits, sizes in ARRAY.findall(LAYOUT.sub("", shape)):
        size = math.prod(int(n) for n in sizes.split(",") if n)
        # A truth value, pred, states no bits and has a byte.
        yield size, max(int(bits or 8) // 8, 1)
