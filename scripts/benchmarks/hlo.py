"""The text of a compiled TPU program: its instructions, and where their arrays lie."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

# `%name = shape kind(operands), ...` within `%computation (...) -> ... {` and `}`.
INSTRUCTION = re.compile(r"%?(\S+) = (\(.*?\)|\S+) ([a-z][\w-]*)\(([^)]*)\)(.*)")
HEAD = re.compile(r"(ENTRY )?%?([\w.-]+) .*\{$")
ARRAY = re.compile(r"[a-z]+(\d*)\w*\[([\d,]*)\](?:\{([^}]*)\})?")
TILE = re.compile(r"T\(([\d,]+)\)")
NAME = re.compile(r"%([\w.-]+)")


class Array(NamedTuple):
    """An array of an instruction: what it holds, and what it takes of the memory."""

    numbers: int
    nbytes: int
    stored: int  # bytes in the chip's main memory, filled up to tiles; 0 on the core


class Instruction(NamedTuple):
    name: str
    arrays: list[Array]
    kind: str
    operands: list[str]
    rest: str


class Program(NamedTuple):
    """The instructions of each computation, and the name of the first to run."""

    computations: dict[str, list[Instruction]]
    entry: str

    def __iter__(self) -> Iterator[Instruction]:
        for instructions in self.computations.values():
            yield from instructions


def parsed(text: str) -> Program:
    """The program of `compiled.as_text()`."""
    found: dict[str, list[Instruction]] = {}
    entry, here = "", list[Instruction]()
    for line in text.splitlines():
        if head := not line.startswith(" ") and HEAD.match(line):
            here = found[head[2]] = []
            entry = head[2] if head[1] else entry
        elif said := INSTRUCTION.match(line.strip().removeprefix("ROOT ")):
            name, shape, kind, operands, rest = said.groups()
            arrays = [_array(*one) for one in ARRAY.findall(shape)]
            here.append(Instruction(name, arrays, kind, NAME.findall(operands), rest))
    return Program(found, entry)


def _array(bits: str, sizes: str, layout: str) -> Array:
    shape = [int(n) for n in sizes.split(",") if n]
    # A truth value, pred, states no bits and has a byte.
    width = max(int(bits or 8) // 8, 1)
    numbers = math.prod(shape)
    order, _, place = layout.partition(":")
    if "S(" in place:
        return Array(numbers, numbers * width, 0)
    laid = [shape[int(axis)] for axis in order.split(",") if axis] or shape
    tile = TILE.match(place)
    steps = [int(n) for n in tile[1].split(",")][::-1] if tile else []
    # The first axes of a layout lie closest; a tile counts them from its end.
    filled = [-(-n // step) * step for n, step in zip(laid, steps, strict=False)]
    return Array(
        numbers, numbers * width, math.prod([*filled, *laid[len(filled) :]]) * width
    )
