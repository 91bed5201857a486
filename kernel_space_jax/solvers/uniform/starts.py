"""The searches of `map`: where each begins, and how many of them go on.

A search may fall into a wrong kernel from one start and find the right one from
another. So there are several starts, and three stages, each dearer than the one before:

    coarse    all scales of a pyramid but the last two
    fine      the last two
    refine    turns without their bias, at full resolution (refine.py)

After each stage the searches with the lowest residual scores go on (successive
halving). Every stage solves the searches of all photos at once (solvers/batch.py).
"""

from collections.abc import Callable
from functools import cache, partial
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.errors import unknown
from kernel_space_jax.solvers.batch import solve_each
from kernel_space_jax.solvers.uniform.map_turns import (
    CUT,
    cleaned,
    in_turns,
    on_simplex,
    unexplained,
)
from kernel_space_jax.solvers.uniform.refine import refined
from kernel_space_jax.solvers.uniform.residual_score import (
    Blind,
    residual_score,
    score_found,
)
from kernel_space_jax.tell import Tell, silent

# Turns at each scale but the last; a setting of an earlier trial, which chose it on
# part of the Levin set. At the photo's own scale half of them do as well, on blurred
# photographs and Levin's.
TURNS, LAST_TURNS = 10, 5
COARSE_CUT = 0.05
SMALLEST = 3
STEP = 2**0.5
# The scales of the second half of a search.
FINE = 2


class Start(NamedTuple):
    """Where searches begin: numbers, or arrays (N,).

    The strength of the first turn falls from turn to turn; few strong edges or many may
    lead to the kernel. `box` is the part of the kernel's side that it may fill.
    """

    strength: Array | float
    box: Array | float


class Half(NamedTuple):
    """Searches after their coarse scales: kernels (N, s, s), strengths left (N,)."""

    h: Array
    strength: Array


class Preset(NamedTuple):
    """How much a search may cost: its starts, and how many of them go on."""

    strengths: tuple[float, ...]
    boxes: tuple[float, ...]
    kept: int
    refined: int

    @property
    def count(self) -> int:
        """How many starts there are."""
        return len(self.strengths) * len(self.boxes)

    @property
    def starts(self) -> Start:
        """All strengths in all boxes, as arrays."""
        pairs = product(self.strengths, self.boxes)
        return Start(*map(jnp.float32, map(jnp.array, zip(*pairs, strict=True))))


# Of many starts half must be dropped early: a wrong kernel may have the lowest score in
# the end, but seldom at the coarse scales too. On the 24 photographs of refine.py that
# wins 0.4 dB, most of it on one. The strengths of `quick` were chosen on the 50
# photographs of residual_score.py; two win 0.6 dB over one with kernels in boxes of 13,
# 21 and 29 pixels.
QUICK = "quick"
PRESETS = {
    QUICK: Preset((2e-3, 6e-3), (1.0,), kept=2, refined=1),
    "balanced": Preset(
        (1e-3, 2e-3, 4e-3, 6e-3, 1e-2), (1.0, 0.86, 0.72), kept=8, refined=4
    ),
    "thorough": Preset(
        (1e-3, 1.5e-3, 2e-3, 3e-3, 4e-3, 6e-3, 8e-3, 1e-2),
        (1.0, 0.93, 0.86, 0.72),
        kept=16,
        refined=8,
    ),
}


def find_preset(name: str) -> Preset:
    """The preset of that name."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]


def search(
    light: Array, preset: Preset, side: int, tell: Tell = silent
) -> tuple[Blind, Array]:
    """Kernels (side, side) behind grey photos (N, H, W), found from all starts.

    The refined ones, (N, refined, ...), and their residual scores, the lowest first.
    `tell(done, total)` hears how many searches of all stages are done.
    """
    photos = len(light)
    starts, photo = _all(preset.starts, photos)
    total = photos * (preset.count + preset.kept + preset.refined)
    done = 0

    def solve(stage: Callable[..., Any], *stacks: Any) -> Any:
        nonlocal done
        before, done = done, done + len(photo)
        return solve_each(
            _sided(stage, side),
            light,
            photo,
            *stacks,
            tell=lambda number, _: tell(before + number, total),
        )

    halves = solve(coarse, starts)
    if preset.kept < preset.count:
        scores = solve_each(_sided(coarse_score, side), light, photo, halves)
        best = _best(scores, photos, preset.kept)
        starts, halves, photo = jax.tree.map(lambda a: a[best], (starts, halves, photo))
    found, scores = solve(fine, starts, halves)
    best = _best(scores, photos, preset.refined)
    found, photo = jax.tree.map(lambda a: a[best], (found, photo))
    found, scores = solve(refine, found)
    best = _best(scores, photos, preset.refined).reshape(photos, -1)
    return jax.tree.map(lambda a: a[best], (found, scores))


def _all(starts: Start, photos: int) -> tuple[Start, Array]:
    """Every start of every photo, and which photo it is of."""
    count = len(jnp.asarray(starts.strength))
    tiled = jax.tree.map(lambda part: jnp.tile(part, photos), starts)
    return tiled, jnp.repeat(jnp.arange(photos), count)


def _best(scores: Array, photos: int, count: int) -> Array:
    """Where the `count` lowest scores of each photo are, the lowest first."""
    scores = scores.reshape(photos, -1)
    each = jnp.argsort(scores, axis=1)[:, :count]
    return (each + scores.shape[1] * jnp.arange(photos)[:, None]).ravel()


@cache
def _sided(function: Callable[..., Any], side: int) -> Callable[..., Any]:
    """The same function each time, so that its program is found again."""
    return partial(function, side=side)


def coarse(light: Array, photo: Array, start: Start, *, side: int) -> Half:
    """All scales but the last `FINE`."""
    scales, plane = _scales(side), light[photo]
    h, strength = _almost_sharp(scales[0]), jnp.asarray(start.strength)
    for own in scales[:-FINE]:
        h = _enlarged(h, own)
        small = _smaller(plane, own / side, own)
        h, strength, _ = in_turns(small, h, strength, TURNS, box=start.box)
        h = cleaned(h, COARSE_CUT)
    return Half(h, strength)


def coarse_score(light: Array, photo: Array, half: Half, *, side: int) -> Array:
    """The residual score () at the last coarse scale."""
    own = half.h.shape[-1]
    small = _smaller(light[photo], own / side, own)
    return residual_score(small[None, ..., None], half.h[None])[0]


def fine(
    light: Array, photo: Array, start: Start, half: Half, *, side: int
) -> tuple[Blind, Array]:
    """The last `FINE` scales: the kernel (side, side) and its residual score ()."""
    plane = light[photo]
    h, strength, error = half.h, half.strength, jnp.float32(0)
    for own in _scales(side)[-FINE:]:
        last = own == side
        h = _enlarged(h, own)
        small = _smaller(plane, own / side, own)
        turns = LAST_TURNS if last else TURNS
        h, strength, error = in_turns(small, h, strength, turns, box=start.box)
        h = cleaned(h, CUT if last else COARSE_CUT)
    return _scored(plane, Blind(h, error))


def refine(
    light: Array, photo: Array, found: Blind, *, side: int
) -> tuple[Blind, Array]:
    """The kernel (side, side) refined, and its residual score ()."""
    plane = light[photo]
    h = refined(plane, found.h, jax.random.key(0))
    return _scored(plane, Blind(h, unexplained(plane, h)))


def _scored(plane: Array, found: Blind) -> tuple[Blind, Array]:
    one = jax.tree.map(lambda part: part[None], found)
    return found, score_found(plane[None, ..., None], one)[0]


def _almost_sharp(side: int) -> Array:
    """The first kernel of a search, almost without blur."""
    middle = side // 2
    return jnp.zeros((side, side)).at[middle, middle : middle + 2].set(0.5)


def _enlarged(h: Array, side: int) -> Array:
    if h.shape[-1] == side:
        return h
    return on_simplex(jax.image.resize(h, (side, side), "linear"))


def _smaller(plane: Array, ratio: float, side: int) -> Array:
    """A photo (H, W) at `ratio` of its size, at least twice a kernel's side."""
    shape = tuple(max(round(n * ratio), 2 * side) for n in plane.shape)
    return jax.image.resize(plane, shape, "linear", antialias=True)


def _scales(size: int) -> list[int]:
    """Odd kernel sizes, each a square root of 2 larger, from 3 to `size`."""
    sides, side = [size], float(size)
    while sides[-1] > SMALLEST:
        side /= STEP
        nearest = max(SMALLEST, 2 * round((side - 1) / 2) + 1)
        if nearest < sides[-1]:
            sides.append(nearest)
    return sides[::-1]
