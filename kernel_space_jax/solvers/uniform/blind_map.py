"""Blind deblurring of uniform blur, coarse to fine: the MAP start.

    min over x, h   |M (h * x - y)|^2 + lambda |grad x|_0,    h >= 0, sum h = 1

After Xu, Zheng and Jia (2013) and Pan et al. (2014): at each scale of a pyramid the
latent x, of few and strong edges, and the kernel h that explains y by it take turns
(map_turns.py). All of it is one compiled program, which begins with strong edges or
with weaker ones. The kernel with the lower residual score (residual_score.py) wins.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.operators.camera import to_light
from kernel_space_jax.solvers.uniform.map_turns import (
    CUT,
    cleaned,
    in_turns,
    on_simplex,
)
from kernel_space_jax.solvers.uniform.refine import refine_kernel
from kernel_space_jax.solvers.uniform.residual_score import (
    Blind,
    score_found,
    sharp_left,
)

# Turns at each scale but the last; a setting of an earlier trial, which chose it on
# part of the Levin set. At the photo's own scale half of them do as well, on blurred
# photographs and Levin's.
TURNS, LAST_TURNS = 10, 5
# From a kernel that is nearly right. Within 0.02 dB of the best of five pairs, up to
# 4e-3 and 20, on eight photos that we blurred by turning a camera, and on two halves.
NEAR_STRENGTH, NEAR_TURNS = 1e-3, 10
COARSE_CUT = 0.05
SMALLEST = 3
STEP = 2**0.5
# Strengths to begin with, chosen on the 50 photographs of residual_score.py. Two win
# 0.6 dB over one with kernels in boxes of 13, 21 and 29 pixels.
STRENGTHS = (2e-3, 6e-3)
# Pixels a side of the kernels that are looked for, and in smaller photos.
SIZES = (29, 21, 13)
# Turns of the refinement at the end: on Levin's photos 32.1 dB become 32.5, on those
# that we blurred nothing changes.
REFINED = 2


def blind_map(y: Array, size: int | None = None, *, gamma: float = 1.0) -> Blind:
    """The kernel (size, size), size odd, behind each photo y (N, H, W, C) in [0, 1].

    It is looked for in y^gamma, the light that was blurred.

    Few strong edges or many may lead to the kernel. So the search runs with each of
    `STRENGTHS`, and each photo takes the kernel with the lowest residual score.
    Without a size a sharp photo gets the kernel that does nothing, because the search
    finds some blur in any photo.

    Do not jit it as a whole: its searches run side by side, because one of them uses
    one core only.
    """
    light = _plane(y, gamma)
    # A kernel of more than half the photo leaves too few pixels.
    largest = next((n for n in SIZES if 2 * n <= min(y.shape[1:3])), SMALLEST)
    program = _program(light.shape, size or largest)
    run = lambda strength: jax.block_until_ready(program(light, jnp.float32(strength)))
    with ThreadPoolExecutor(len(STRENGTHS)) as pool:
        found = _best_scored(light, list(pool.map(run, STRENGTHS)))
    return found if size else sharp_left(y, found)


@jax.jit
def _best_scored(light: Array, found: Sequence[tuple[Blind, Array]]) -> Blind:
    """For each photo the kernel with the lowest residual score, refined."""
    all_found, scores = jax.tree.map(lambda *parts: jnp.stack(parts), *found)
    best, photo = jnp.argmin(scores, 0), jnp.arange(len(light))
    return _refined(light, jax.tree.map(lambda part: part[best, photo], all_found))


def blind_near(y: Array, h: Array, *, gamma: float = 1.0) -> Blind:
    """The kernels near h (N, size, size) behind photos y (N, H, W, C) in [0, 1].

    For parts of a photo whose kernel is close to h, for example where a camera turned:
    x and h in turns, at full resolution only.
    """
    light = _plane(y, gamma)
    return _refined(light, _near(light, h))


def _plane(y: Array, gamma: float) -> Array:
    """The grey light (N, H, W, 1): photos in grey and in colour share programs."""
    return jnp.mean(to_light(y, gamma), -1, keepdims=True)


@jax.jit
def _near(y: Array, h: Array) -> Blind:
    def one(plane: Array, h: Array) -> Blind:
        strength = jnp.float32(NEAR_STRENGTH)
        h, _, error = in_turns(plane, h, strength, NEAR_TURNS)
        return Blind(cleaned(h, CUT), error)

    return jax.vmap(one)(y[..., 0], h)


@jax.jit
def _refined(y: Array, found: Blind) -> Blind:
    """L0 edges are steeper than those of photos, so the kernels found are too wide."""
    h = refine_kernel(y, found.h, jax.random.key(0), turns=REFINED)
    return found._replace(h=h)


@cache
def _program(shape: tuple[int, ...], side: int) -> Callable[..., tuple[Blind, Array]]:
    """`_search` of one shape, compiled: threads would do so one by one."""
    photos = jax.ShapeDtypeStruct(shape, jnp.float32)
    strength = jax.ShapeDtypeStruct((), jnp.float32)
    return jax.jit(partial(_search, side=side)).lower(photos, strength).compile()


def _search(y: Array, strength: Array, side: int) -> tuple[Blind, Array]:
    """Kernels (N, side, side) from coarse to fine, and their residual scores.

    The strength is that of the first turn, and falls from turn to turn.
    """
    scales = _scales(side)

    def one(plane: Array) -> Blind:
        h, falling, error = _start(scales[0]), strength, jnp.float32(0)
        for own in scales:
            ratio = own / side
            shape = tuple(max(round(n * ratio), 2 * own) for n in plane.shape)
            small = jax.image.resize(plane, shape, "linear", antialias=True)
            if own != scales[0]:
                h = on_simplex(jax.image.resize(h, (own, own), "linear"))
            last = own == side
            turns = LAST_TURNS if last else TURNS
            h, falling, error = in_turns(small, h, falling, turns)
            h = cleaned(h, CUT if last else COARSE_CUT)
        return Blind(h, error)

    found = jax.vmap(one)(y[..., 0])
    return found, score_found(y, found)


def _start(side: int) -> Array:
    """The first kernel of a search, almost without blur."""
    middle = side // 2
    return jnp.zeros((side, side)).at[middle, middle : middle + 2].set(0.5)


def _scales(size: int) -> list[int]:
    """Odd kernel sizes, each a square root of 2 larger, from 3 to `size`."""
    sides, side = [size], float(size)
    while sides[-1] > SMALLEST:
        side /= STEP
        nearest = max(SMALLEST, 2 * round((side - 1) / 2) + 1)
        if nearest < sides[-1]:
            sides.append(nearest)
    return sides[::-1]
