"""The least time that a chip can take, from what its program computes and moves.

bound = max(flops / peak, bytes / bandwidth)
all-reduce of b bytes over n = s x s chips:  2 (n - 1) / n  b / link + 4 (s - 1) hop
"""

import math
from typing import NamedTuple


class Chip(NamedTuple):
    """What one chip can do, and how it is linked to its neighbours."""

    peak: float  # flops a second in bf16
    bandwidth: float  # bytes a second from its memory
    memory: float  # bytes that a program may hold
    link: float  # bytes a second over one link, one way
    hop: float  # seconds from a chip to its neighbour


# peak, bandwidth: cloud.google.com/tpu/docs/v5e. memory: what the TPU compiler allows
# of 16 GiB. link, hop: "How to Scale Your Model" (jax-ml.github.io/scaling-book).
CHIPS = {"v5e": Chip(197e12, 819e9, 15.75 * 2**30, 4.5e10, 1e-6)}


class Bound(NamedTuple):
    """Seconds of a step on one chip, without what other chips send."""

    arithmetic: float
    memory: float

    @property
    def seconds(self) -> float:
        return max(self.arithmetic, self.memory)

    @property
    def binds(self) -> str:
        return "memory" if self.memory > self.arithmetic else "arithmetic"


def bound(chip: Chip, flops: float, moved: float) -> Bound:
    """The bound of a program of so many flops and bytes moved on one chip."""
    return Bound(flops / chip.peak, moved / chip.bandwidth)


def all_reduce_seconds(chip: Chip, count: int, nbytes: int, chips: int) -> float:
    """Seconds of `count` all-reduces of `nbytes` in all, on a square of chips."""
    side = math.sqrt(chips)
    ring = 2 * (chips - 1) / chips * nbytes / chip.link
    return ring + count * 4 * (side - 1) * chip.hop


def efficiency(alone: float, sending: float) -> tuple[float, float]:
    """What is left of a chip's speed: nothing overlaps, and all that can does."""
    return alone / (alone + sending), alone / max(alone, sending)


def largest_batch(chip: Chip, held: dict[int, float]) -> int | None:
    """The examples that fit, on a straight line through the bytes held at two batches.

    None where there are no two, or the larger of them takes no more memory.
    """
    (small, less), *_, (large, more) = sorted([*held.items()] * 2)
    if more <= less:
        return None
    each = (more - less) / (large - small)
    return int((chip.memory - less) / each + small)
