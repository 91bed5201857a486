"""What a compiled program moves between a chip and its main memory.

The compiler's own count, `cost_analysis`, holds arrays on the core for moved too. Here
only those in the main memory count, with what fills them up to tiles: of an operation
all that it reads and all that it writes. The body of a loop counts once, and of
branches the one that moves most.
"""

import re

from benchmarks.hlo import NAME, Instruction, Program

# They name or group what is there already, or wait for it.
FREE = (
    *("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all"),
    *("opt-barrier", "partition-id"),
)
CALLED = re.compile(
    r"(?:body|condition|to_apply|branch_computations|true_computation"
    r"|false_computation)=(\{[^}]*\}|%[\w.-]+)"
)


def bytes_moved(program: Program) -> int:
    """Bytes from and to the main memory, from the program's first operation to last."""
    stored = {one.name: sum(a.stored for a in one.arrays) for one in program}

    def of(name: str) -> int:
        return sum(moved(one) for one in program.computations[name])

    def moved(one: Instruction) -> int:
        if one.kind in FREE or one.kind.endswith("-done"):
            return 0
        if one.kind in ("while", "call"):
            return sum(of(name) for name in _called(one))
        if one.kind == "conditional":
            return max(of(name) for name in _called(one))
        read = sum(stored[name] for name in one.operands)
        if not one.kind.endswith("-start") or one.kind.startswith("all-reduce"):
            return read + sum(a.stored for a in one.arrays)
        # A copy under way, of (copy, source, ...) or (sources, copy, ...), whose source
        # may be larger than what is taken of it.
        copy = one.arrays[0 if one.kind == "copy-start" else len(one.operands)]
        return copy.stored + min(read, max(copy.stored, copy.nbytes))

    return of(program.entry)


def _called(one: Instruction) -> list[str]:
    return [name for group in CALLED.findall(one.rest) for name in NAME.findall(group)]
